import pino from "pino";
import { createEpochs, epochKey } from "../denylist/past/epochs";
import type { Redis } from "../redis/redis";
import { EXIT, fail, print, usageOf, type Command } from "./command";
import { withRedis } from "./connection";

/** For use after a restore: running instances may know nothing of the logouts since the backup was made. */
export const beginEpoch: Command = {
  usage: [
    [
      "begin-epoch --yes",
      "Refuses all existing tokens and sessions, so that everybody logs in again. Run it after restoring a backup",
    ],
  ],

  run(args, env) {
    if (args.length !== 1 || args[0] !== "--yes") {
      return fail(EXIT.misused, `This logs everybody out, so it needs --yes.\n${usageOf([beginEpoch])}`);
    }
    return withRedis(
      env,
      async ({ redis, shards }) => {
        await Promise.all(shards.prefixes.map((prefix) => beginIn(redis, prefix)));
        return print("A new epoch has begun. Tokens and sessions from before are refused.\n");
      },
      UNDONE,
    );
  },
};

/** In a cluster, some shards may have a new epoch already. Running the command again does no harm. */
const UNDONE = "Tokens from before may still be accepted. Fix that and run it again.\n";

async function beginIn(redis: Redis, prefix: string): Promise<void> {
  const epochs = createEpochs(redis, pino({ level: "silent" }));
  await epochs.begin(prefix, await redis.ask((client) => client.get(epochKey(prefix))));
}
