import { readNodes, readSingle, type Address } from "../redis/address";
import { matching, oneOf, whole, type Settings } from "./settings";

/** Where a service outside production keeps what it makes for itself. */
export const DATA_DIR = ".data";

/** Where Redis is, or where it comes from without a URL. */
export type RedisSource = Address | { mode: "embedded" } | { mode: "memory" };

/** What Redis is to us. */
export type RedisConfig = {
  redis: RedisSource;
  redisPrefix: string;
  redisTimeoutMs: number;
  /** In how many denylists a cluster's keys are. */
  redisShards: number;
};

export const readRedisConfig = (settings: Settings, production: boolean): RedisConfig => ({
  redis: readRedis(settings, production),
  redisPrefix: settings.read(
    "REDIS_PREFIX",
    matching(/^[\w:.-]{1,64}$/, "letters, digits and : . _ -"),
    "curfew:",
  ),
  redisTimeoutMs: settings.read("REDIS_TIMEOUT_MS", whole(10, 60_000), 250),
  redisShards: settings.read("REDIS_SHARDS", whole(1, 100), 16),
});

function readRedis(settings: Settings, production: boolean): RedisSource {
  const { text, read, refuse } = settings;
  const mode = read("REDIS_MODE", oneOf("single", "sentinel", "cluster"), "single");
  const name = text("REDIS_SENTINEL_NAME");
  if (mode === "sentinel" && name === undefined) {
    refuse("REDIS_SENTINEL_NAME", "it is not set", "the name under which the sentinels know the primary");
  } else if (mode !== "sentinel" && name !== undefined) {
    refuse("REDIS_SENTINEL_NAME", `REDIS_MODE is ${mode}`, "nothing, or set REDIS_MODE=sentinel");
  }
  const url = text("REDIS_URL");
  if (url === undefined || url === "memory://") return readRedisOfOurOwn(settings, url, mode, production);
  try {
    if (mode === "cluster") return { mode, ...readNodes(url, mode) };
    if (mode === "sentinel") {
      const sentinelPassword = text("REDIS_SENTINEL_PASSWORD");
      return { mode, name: name ?? "", sentinelPassword, ...readNodes(url, mode) };
    }
    return readSingle(url);
  } catch (error) {
    // The URL may hold a password, so that it is never repeated.
    refuse("REDIS_URL", error instanceof TypeError ? error.message : "it can't be read", URL_HINT[mode]);
  }
  return { mode: "single", url };
}

function readRedisOfOurOwn(
  { refuse }: Settings,
  url: string | undefined,
  mode: keyof typeof URL_HINT,
  production: boolean,
): RedisSource {
  if (production || mode !== "single") {
    refuse("REDIS_URL", url === undefined ? "it is not set" : "memory:// forgets everything", URL_HINT[mode]);
  }
  return { mode: url === undefined ? "embedded" : "memory" };
}

const URL_HINT = {
  single: "redis://user:password@host:6379 or rediss://…; with several nodes, set REDIS_MODE",
  sentinel:
    "the sentinels: redis://user:password@sentinel1:26379,sentinel2:26379 (user and password are Redis's)",
  cluster: "some of its nodes: redis://user:password@node1:6379,node2:6379",
};
