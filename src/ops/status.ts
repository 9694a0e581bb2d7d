import { z } from "zod";
import { MIRROR_STATES, type Mirror } from "../denylist/mirror/mirror";
import { beganAt, epochKey } from "../denylist/past/epochs";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import { dateOf } from "./dates";
import type { Events } from "./events";

const Epoch = z.object({
  prefix: z.string(),
  epoch: z.string().nullable(),
  since: z.iso.datetime().nullable(),
});

export const Status = z
  .object({
    redis: z.object({
      nodes: z.array(
        z.object({
          version: z.string().nullable(),
          replicas: z.number(),
          eviction_policy: z.string().nullable(),
          append_only_file: z.enum(["on", "off", "failing"]).nullable(),
        }),
      ),
      warnings: z.array(z.object({ code: z.string(), message: z.string() })),
    }),
    epochs: z.array(Epoch).describe("Since when the denylist remembers; in a cluster, one for each shard"),
    events: z.number().describe("How many events the stream holds"),
    mirror: z
      .object({
        state: z.enum(MIRROR_STATES).describe("Only while it is `fresh` are checks answered by it"),
        entries: z.number(),
        staleness_ms: z.number().nullable().describe("How old what it knows can be"),
      })
      .nullable()
      .describe("This instance's copy of the denylist; `null` in direct mode"),
  })
  .meta({ id: "Status" });

export type Status = z.infer<typeof Status>;

type StatusParts = { redis: Redis; shards: Shards; mirror: Pick<Mirror, "status"> | undefined };

/** What there is to say of Redis and the denylist. Throws `denylist_unavailable` while Redis can't be asked. */
export async function readStatus({ redis, shards, mirror }: StatusParts, events: Events): Promise<Status> {
  const epochs = await redis.ask((client) =>
    Promise.all(shards.prefixes.map(async (prefix) => toEpoch(prefix, await client.get(epochKey(prefix))))),
  );
  const nodes = redis.infos().map(({ version, replicas, evictionPolicy, appendOnlyFile }) => ({
    version: version ?? null,
    replicas,
    eviction_policy: evictionPolicy ?? null,
    append_only_file: appendOnlyFile ?? null,
  }));
  return {
    redis: { nodes, warnings: redis.warnings() },
    epochs,
    events: await events.count(),
    mirror: mirror ? readMirror(mirror) : null,
  };
}

function readMirror({ status }: Pick<Mirror, "status">): Status["mirror"] {
  const { state, entries, stalenessMs } = status();
  return { state, entries, staleness_ms: stalenessMs === undefined ? null : Math.round(stalenessMs) };
}

const toEpoch = (prefix: string, epoch: string | null) => ({
  prefix,
  epoch,
  since: epoch === null ? null : dateOf(beganAt(epoch) * 1000),
});
