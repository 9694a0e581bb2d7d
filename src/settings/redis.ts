import { join } from "node:path";
import type { Reading } from "./reading";
import { readNodes, readSingle, type Address } from "../redis/address";
import { hasKeyPrefix, readAppClient, type AppRedis } from "../redis/app-client";

/** Where a service outside production keeps the secret and the Redis data that it creates. */
export const DATA_DIR = ".data";

/** The secret that signs tokens there, unless a key is configured. */
export const KEPT_SECRET_FILE = join(DATA_DIR, "jwt-secret");

/** Where Redis is or, without a URL, which kind the service starts itself. */
export type RedisSource = Address | { mode: "embedded" } | { mode: "memory" };

const MEMORY = "memory://";

type Mode = "single" | "sentinel" | "cluster";

/** What to write for each mode, if it differs from the table's description. */
const URL_HINT: Record<Mode, string | undefined> = {
  single: undefined,
  sentinel:
    "the sentinels: redis://user:password@sentinel1:26379,sentinel2:26379 (user and password are Redis's)",
  cluster: "some of its nodes: redis://user:password@node1:6379,node2:6379",
};

export function readRedisSource(reading: Reading<"text">, production: boolean): RedisSource {
  const { read, refuse } = reading;
  const mode = read("redisMode");
  const name = readSentinelName(reading, mode);
  const url = read("redis");
  if (url === undefined || url === MEMORY) {
    if (production || mode !== "single") {
      refuse("redis", url === undefined ? "it is not set" : "memory:// forgets everything", URL_HINT[mode]);
    }
    return { mode: url === undefined ? "embedded" : "memory" };
  }
  try {
    if (mode === "cluster") return { mode, ...readNodes(url, mode) };
    if (mode === "single") return readSingle(url);
    return { mode, name, sentinelPassword: read("redisSentinelPassword"), ...readNodes(url, mode) };
  } catch (error) {
    // The URL is never quoted, because it may contain a password.
    refuse("redis", error instanceof TypeError ? error.message : "it can't be read", URL_HINT[mode]);
    return { mode: "single", url };
  }
}

function readSentinelName({ read, refuse, nameOf }: Reading<"text">, mode: Mode): string {
  const name = read("redisSentinelName");
  if (mode === "sentinel" && name === undefined) refuse("redisSentinelName", "it is not set");
  if (mode !== "sentinel" && name !== undefined) {
    const redisMode = nameOf("redisMode");
    refuse("redisSentinelName", `${redisMode} is ${mode}`, `nothing, or set ${redisMode}=sentinel`);
  }
  return name ?? "";
}

const MEMORY_TIMEOUT_MS = 5000;

/** Whoever waits for memory waits for this process, which may be busy with an app's tests. */
export const timeoutFor = (source: { mode: string } | undefined, timeoutMs: number) =>
  source?.mode === "memory" ? Math.max(timeoutMs, MEMORY_TIMEOUT_MS) : timeoutMs;

/** Where an app's Redis is; in its tests, it may be in memory. */
export type AppRedisSource = Address | AppRedis | { mode: "memory" };

/** Reads an app's client, or the URL of a single Redis. Returns undefined if it was refused. */
export function readAppRedis(
  { read, refuse, isGiven }: Reading<"value">,
  production: boolean,
): AppRedisSource | undefined {
  const given = read("redis");
  if (given === MEMORY) {
    if (production) refuse("redis", "memory:// forgets everything");
    return { mode: "memory" };
  }
  try {
    if (typeof given === "string") return readSingle(given);
    const client = readAppClient(given);
    if (hasKeyPrefix(client) && !isGiven("prefix")) {
      refuse(
        "redis",
        "Curfew doesn't use its keyPrefix",
        "the option prefix too: what Curfew's keys begin with",
      );
    }
    return client;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    refuse("redis", error.message);
    return undefined;
  }
}
