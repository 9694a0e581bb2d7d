import type { Status } from "../../ops/status";
import { print } from "../command";
import { withDesk } from "../connection";
import { createCommand, createStep } from "../step";
import { table } from "../table";
import { paint, plain, plainJson } from "../terminal";
import { momentOf } from "../times";

const step = createStep({
  line: "status [--json]",
  does: "Says how Redis is, and since when the denylist remembers",
  more: "Exit code 3: Redis can't be reached, or refuses.",
  examples: [
    ["status", ""],
    ["status --json | jq -r '.redis.warnings[].message'", "the warnings alone"],
  ],
  options: { json: { type: "boolean" } },
  words: [0, 0],
  run: ({ options: { json = false } }, env) =>
    withDesk(env, async ({ ops }) => {
      const status = await ops.status();
      return print(json ? `${plainJson(status)}\n` : toText(status));
    }),
});

/** How Redis is. */
export const status = createCommand({ "": step });

const toText = ({ redis, epochs, events }: Status) =>
  table([
    ...redis.nodes.map((node) => ["Redis", nodeInWords(node)]),
    ...(redis.warnings.length === 0
      ? [["Warnings", "none"]]
      : redis.warnings.map(({ message }) => [paint("red", "Warning"), plain(message)])),
    ...epochs.map(({ prefix, epoch, since }) => [
      epochs.length === 1 ? "Remembers" : plain(prefix),
      epoch === null
        ? "nothing yet: no instance has been ready on this Redis, with this REDIS_PREFIX"
        : `since ${since === null ? "?" : momentOf(since)} (epoch ${plain(epoch)})`,
    ]),
    ["Events", events.toLocaleString("en")],
  ]);

function nodeInWords({
  version,
  replicas,
  eviction_policy,
  append_only_file,
}: Status["redis"]["nodes"][number]) {
  return [
    plain(version ?? "of an unknown version"),
    replicas === 1 ? "1 replica" : `${replicas} replicas`,
    `maxmemory-policy ${plain(eviction_policy ?? "unknown")}`,
    `append-only file ${append_only_file ?? "unknown"}`,
  ].join(", ");
}
