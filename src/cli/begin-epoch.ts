import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { createEpochs, epochKey } from "../denylist/past/epochs";
import { CurfewError, loggable } from "../errors";
import { socketIn } from "../redis/embedded";
import { connectRedis, type Redis } from "../redis/redis";
import { readEnvironment } from "../settings/environment";
import { DATA_DIR, readRedisSource, type RedisSource } from "../settings/redis";
import type { Settings } from "../settings/table";
import { createOneShard, createShards } from "../redis/shards";
import { EXIT, fail, print, usageOf, type Command } from "./command";

const PATIENCE_MS = 2000;

/** For use after a restore: running instances may know nothing of the logouts since the backup was made. */
export const beginEpoch: Command = {
  usage: [
    [
      "begin-epoch --yes",
      "Refuses all existing tokens and sessions, so that everybody logs in again. Run it after restoring a backup",
    ],
  ],

  async run(args, env) {
    if (args.length !== 1 || args[0] !== "--yes") {
      return fail(EXIT.misused, `This logs everybody out, so it needs --yes.\n${usageOf([beginEpoch])}`);
    }
    const { config, problems } = readSettings(env);
    if (problems.length > 0) return fail(EXIT.misconfigured, `${problems.join("\n")}\n`);
    const redis = connect(config);
    try {
      await Promise.race([redis.firstContact, sleep(PATIENCE_MS, undefined, { ref: false })]);
      await Promise.all(prefixesOf(config).map((prefix) => beginIn(redis, prefix)));
      return print("A new epoch has begun. Tokens and sessions from before are refused.\n");
    } catch (error) {
      return fail(EXIT.unreachable, failure(error instanceof CurfewError ? error.cause : error));
    } finally {
      redis.close();
    }
  },
};

type RedisSettings = Pick<Settings, "prefix" | "timeoutMs" | "shards"> & { redis: RedisSource };

function readSettings(env: NodeJS.ProcessEnv) {
  const reading = readEnvironment(env);
  const { production, ...settings } = reading.readAll(["production", "prefix", "timeoutMs", "shards"]);
  const redis = readRedisSource(reading, production);
  if (redis.mode === "memory")
    reading.refuse("redis", "memory:// ends with its process", "the URL of a Redis");
  return { config: { ...settings, redis }, problems: reading.problems };
}

function connect({ redis, timeoutMs }: RedisSettings): Redis {
  const isOurOwn = redis.mode === "embedded" || redis.mode === "memory";
  const address = isOurOwn ? ({ mode: "socket", path: socketIn(join(DATA_DIR, "redis")) } as const) : redis;
  return connectRedis(address, { timeoutMs, minReplicas: 0 }, pino({ level: "silent" }));
}

const prefixesOf = ({ redis, prefix, shards }: RedisSettings) =>
  (redis.mode === "cluster" ? createShards(prefix, shards) : createOneShard(prefix)).prefixes;

/** In a cluster, some shards may have a new epoch already. Running the command again does no harm. */
function failure(cause: unknown): string {
  const message = cause instanceof Error ? loggable(cause) : "unknown";
  return (
    `Redis can't be reached, or refused: ${message}\n` +
    "Tokens from before may still be accepted. Fix that (docs/redis.md says how) and run it again.\n"
  );
}

async function beginIn(redis: Redis, prefix: string): Promise<void> {
  const epochs = createEpochs(redis, pino({ level: "silent" }));
  await epochs.begin(prefix, await redis.ask((client) => client.get(epochKey(prefix))));
}
