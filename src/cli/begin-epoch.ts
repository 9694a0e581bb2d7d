import pino from "pino";
import { createEpochs, epochKey } from "../denylist/past/epochs";
import type { Redis } from "../redis/redis";
import { print } from "./command";
import { withRedis } from "./connection";
import { createCommand, createStep } from "./step";

/** For use after a restore: running instances may know nothing of the logouts since the backup was made. */
const begin = createStep({
  line: "begin-epoch --yes",
  does: "Refuses all existing tokens and sessions, so that everybody logs in again. Run it after restoring a backup",
  more: "docs/redis.md says why.",
  examples: [["begin-epoch --yes", "with the service's REDIS_ settings"]],
  options: { yes: { type: "boolean" } },
  words: [0, 0],
  run({ options: { yes = false } }, env) {
    if (!yes) return { wrong: "This logs everybody out, so it needs --yes." };
    return withRedis(
      env,
      async ({ redis, shards }) => {
        await Promise.all(shards.prefixes.map((prefix) => beginIn(redis, prefix)));
        return print("A new epoch has begun. Tokens and sessions from before are refused.\n");
      },
      UNDONE,
    );
  },
});

export const beginEpoch = createCommand({ "": begin });

/** In a cluster, some shards may have a new epoch already. Running the command again does no harm. */
const UNDONE = "Tokens from before may still be accepted. Fix that and run it again.\n";

async function beginIn(redis: Redis, prefix: string): Promise<void> {
  const epochs = createEpochs(redis, pino({ level: "silent" }));
  await epochs.begin(prefix, await redis.ask((client) => client.get(epochKey(prefix))));
}
