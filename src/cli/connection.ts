import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { createBase, createCore, type Base, type Core } from "../core";
import { CurfewError, loggable } from "../errors";
import { socketIn } from "../redis/embedded";
import { connectRedis, type Redis } from "../redis/redis";
import { createOneShard, createShards, type Shards } from "../redis/shards";
import { createForeignTokens } from "../issuers/foreign-tokens";
import { createKeyRing, NO_KEYS } from "../keys/key-ring";
import { findKeptSecret } from "../keys/kept-secret";
import { readConfig } from "../settings/config";
import { readEnvironment } from "../settings/environment";
import { readIssuersFile } from "../settings/issuers";
import type { Reading } from "../settings/reading";
import { DATA_DIR, KEPT_SECRET_FILE, readRedisSource } from "../settings/redis";
import { EXIT, fail } from "./command";

/** How long the first contact with Redis may take, and each answer at least: a person can wait longer than a request. */
const PATIENCE_MS = 2000;

/** What the commands need of the service's settings. A signing key isn't among them. */
const NAMES = [
  ...(["production", "prefix", "timeoutMs", "shards", "revokeMinReplicas", "passwordMinLength"] as const),
  ...(["issuer", "accessTtlSeconds", "refreshTtlSeconds", "sessionMaxTtlSeconds"] as const),
  ...(["refreshGraceSeconds", "clockToleranceSeconds"] as const),
] as const;

const log = pino({ level: "silent" });

/** A command would be over before it had copied the denylist. */
const NO_MIRROR = { mode: "direct", mirrorMaxStalenessMs: 0 } as const;

type Settings = ReturnType<typeof readSettings>["settings"];

/** A connection to the service's Redis, and what is known of it. */
export type Reached = { redis: Redis; shards: Shards; settings: Settings };

/** What the commands of ops are made of. `by` is who runs this one, as entries and events name them. */
export type Desk = Base & { by: string };

/** The same where the service's keys and issuers are needed too: to verify a token that somebody shows. */
type KeyedDesk = Core & { by: string };

/** Runs a command on the service's Redis, as the same variables lead the service to it. Returns the exit code. */
export const withRedis = (
  env: NodeJS.ProcessEnv,
  run: (reached: Reached) => Promise<number>,
  whatFollows = "",
): Promise<number> => reach(readSettings(readEnvironment(env)), run, whatFollows);

async function reach(
  { settings, problems }: ReturnType<typeof readSettings>,
  run: (reached: Reached) => Promise<number>,
  whatFollows = "",
): Promise<number> {
  if (problems.length > 0) return fail(EXIT.misconfigured, `${problems.join("\n")}\n`);
  const { prefix, source } = settings;
  const redis = connect(settings);
  const shards = source.mode === "cluster" ? createShards(prefix, settings.shards) : createOneShard(prefix);
  const unreachable = (cause: unknown) => fail(EXIT.unreachable, failure(cause, source.mode, whatFollows));
  try {
    try {
      await Promise.race([redis.firstContact, sleep(PATIENCE_MS, undefined, { ref: false })]);
    } catch (error) {
      return unreachable(error);
    }
    return await run({ redis, shards, settings });
  } catch (error) {
    if (!(error instanceof CurfewError)) throw error;
    const { code, cause, about } = error;
    if (code === "denylist_unavailable") return unreachable(cause);
    if (code === "issuer_unavailable")
      return fail(EXIT.unreachable, withoutKeys(String(about["issuer"]), cause));
    throw error;
  } finally {
    redis.close();
  }
}

/** Runs a command that needs no signing key. It knows the issuers all the same, so that what is theirs can be named. */
export function withDesk(env: NodeJS.ProcessEnv, run: (desk: Desk) => Promise<number>): Promise<number> {
  const reading = readEnvironment(env);
  const read = readSettings(reading);
  const { production, issuer: ownIssuer } = read.settings;
  const issuers = readIssuersFile(reading, { production, ownIssuer, ownKeys: [], env });
  return reach(read, ({ redis, shards, settings }) => {
    const base = createBase({
      ...settings,
      ...NO_MIRROR,
      partitionToleranceMs: 0,
      redis,
      shards,
      issuers,
      log,
    });
    return run({ ...base, by: whoRunsThis() });
  });
}

/** Runs a command that verifies tokens, for which the settings must be all that the service needs. */
export function withKeyedDesk(
  env: NodeJS.ProcessEnv,
  run: (desk: KeyedDesk) => Promise<number>,
): Promise<number> | number {
  const { config, problems } = readKeyedConfig(env);
  if (!config) return fail(EXIT.misconfigured, `${problems}\n`);
  return withRedis(env, async ({ redis, shards }) => {
    const keys = config.key ? createKeyRing(config.key, config.verifyKeys) : NO_KEYS;
    const foreignTokens = createForeignTokens(config.issuers, { ...config, log });
    const core = createCore({ ...config, ...NO_MIRROR, redis, shards, keys, foreignTokens, log });
    try {
      return await run({ ...core, by: whoRunsThis() });
    } finally {
      await core.close();
    }
  });
}

function readSettings(reading: Reading<"text">) {
  const settings = reading.readAll(NAMES);
  const source = readRedisSource(reading, settings.production);
  if (source.mode === "memory")
    reading.refuse("redis", "memory:// ends with its process", "the URL of a Redis");
  return { settings: { ...settings, source }, problems: reading.problems };
}

function connect({ source, timeoutMs, revokeMinReplicas: minReplicas }: Settings): Redis {
  const isOurOwn = source.mode === "embedded" || source.mode === "memory";
  const address = isOurOwn ? ({ mode: "socket", path: socketIn(join(DATA_DIR, "redis")) } as const) : source;
  return connectRedis(address, { timeoutMs: Math.max(timeoutMs, PATIENCE_MS), minReplicas }, log);
}

function readKeyedConfig(env: NodeJS.ProcessEnv) {
  try {
    const config = readConfig(env, () => findKeptSecret(KEPT_SECRET_FILE));
    if (config.key || !config.hasAccounts) return { config, problems: "" };
    return {
      problems:
        "JWT_SECRET: it is not set, and no key is kept here; set the service's own key, or run this in its folder",
    };
  } catch (error) {
    if (error instanceof TypeError) return { problems: error.message };
    throw error;
  }
}

const withoutKeys = (issuer: string, cause: unknown) =>
  `The keys of the issuer ${issuer} can't be fetched, so its token can't be verified: ${reasonIn(cause)}\n`;

const reasonIn = (cause: unknown) => (cause instanceof Error ? loggable(cause) : "unknown");

function failure(cause: unknown, mode: string, whatFollows: string): string {
  const todo =
    mode === "embedded"
      ? `REDIS_URL isn't set, so this looked for the service's own Redis in ${join(DATA_DIR, "redis")}. Set REDIS_URL as the service has it, or run this in the service's folder while it runs.\n`
      : "See that REDIS_URL and the other REDIS_ variables are the service's. docs/redis.md says what each fault means.\n";
  return `Redis can't be reached, or refused: ${reasonIn(cause)}\n${whatFollows}${todo}`;
}

function whoRunsThis(): string {
  const host = hostname();
  try {
    return `cli:${userInfo().username}@${host}`;
  } catch {
    // In a container, a user may have a number and no name.
    return `cli:${String(process.getuid?.() ?? "unknown")}@${host}`;
  }
}
