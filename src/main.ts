import { isIPv6 } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pino, { type Logger } from "pino";
import { isLoopback } from "./settings/checks";
import { readConfig, type Config } from "./settings/config";
import { createApp } from "./http/app";
import { listen, type Listening } from "./http/server";
import { createCore, type Core } from "./core";
import { createMeter, type Meter } from "./metrics/meter";
import { DATA_DIR, KEPT_SECRET_FILE } from "./settings/redis";
import { startEmbeddedRedis } from "./redis/embedded";
import { mayEvict } from "./redis/info";
import { reasonOf } from "./redis/reason";
import { writeTogether } from "./log/destination";
import { logEvent } from "./log/events";
import { connectRedis, type Redis } from "./redis/redis";
import { createOneShard, createShards } from "./redis/shards";
import { findKeptSecret, readKeptSecret } from "./keys/kept-secret";
import { createForeignTokens } from "./issuers/foreign-tokens";
import { createKeyRing, NO_KEYS, type KeyRing } from "./keys/key-ring";

const EXIT_MISCONFIGURED = 78;
const REDIS_START_TIMEOUT_MS = 2000;
const QUIET_MS = 1000;
const LAST_MOMENT = 0.95;
const NOT_READY = "can't reach Redis yet; until it can, it answers 503";

type Storage = { redis: Redis; description: string; stop: () => Promise<void> };

async function main(): Promise<void> {
  const config = readConfigOrExit();
  const log = createLog(config.logLevel);
  const storage = await openStorage(config, log);
  const isReady = await untilFirstContact(config, storage.redis);
  const core = createServiceCore(config, storage.redis, log);
  const server = await listen(
    (isStopping) => createApp({ ...core, isStopping }, config),
    config.port,
    config.host,
  );
  const { port } = server;
  // Whoever starts the service waits for this line, whatever the log level is.
  logEvent(log.child({}, { level: "info" }), "listening", { port, host: config.host });
  if (!config.production)
    process.stderr.write(greeting(config, port, isReady ? storage.description : NOT_READY));
  async function close(): Promise<void> {
    await core.close();
    storage.redis.close();
    await storage.stop();
  }
  stopOnSignal(server, close, config.shutdownGraceMs, log);
}

function createLog(level: string): Logger {
  const stdout = pino.destination({ fd: 1, sync: true });
  const destination = writeTogether((lines) => stdout.write(lines));
  return pino({ level, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

function readConfigOrExit(): Config {
  try {
    return readConfig(process.env, () => findKeptSecret(KEPT_SECRET_FILE));
  } catch (error) {
    return exitMisconfigured(messageOf(error));
  }
}

function exitMisconfigured(problems: string): never {
  process.stderr.write(`Curfew can't start with this configuration.\n${problems}\n`);
  process.exit(EXIT_MISCONFIGURED);
}

async function openStorage(config: Config, log: Logger): Promise<Storage> {
  const { redis, timeoutMs, revokeMinReplicas: minReplicas } = config;
  const stop = () => Promise.resolve();
  if (redis.mode === "embedded") {
    const embedded = await startEmbeddedRedis(join(DATA_DIR, "redis"));
    if (embedded) {
      return {
        redis: connectRedis({ mode: "socket", path: embedded.socketPath }, { timeoutMs, minReplicas }, log),
        description: `keeps its data in a redis-server of its own, in ${DATA_DIR}/redis`,
        stop: embedded.stop,
      };
    }
  }
  if (redis.mode === "memory" || redis.mode === "embedded") {
    if (config.mode === "mirror") {
      throw new Error(
        "There is no redis-server on the PATH. Without one, DENYLIST_MODE must be direct, or set REDIS_URL.",
      );
    }
    if (!isLoopback(config.host)) {
      throw new Error(
        "There is no redis-server on the PATH. Without one, HOST must be a loopback address, or set REDIS_URL.",
      );
    }
    const why = redis.mode === "memory" ? "was told to use memory://" : "found no redis-server on the PATH";
    const description = `${why}: IT FORGETS EVERYTHING when it ends`;
    // Loaded only here, because it includes a Lua interpreter, which production doesn't need.
    const { connectMemory } = await import("./redis/links/memory-link.js");
    return { redis: connectMemory(timeoutMs), description, stop };
  }
  return {
    redis: connectRedis(redis, { timeoutMs, minReplicas }, log),
    description: "uses the Redis in REDIS_URL",
    stop,
  };
}

/** Waits a moment for Redis. Whenever Redis first answers, now or later, it must be safe to rely on. */
function untilFirstContact({ production, allowEviction }: Config, redis: Redis): Promise<boolean> {
  const contact = redis.firstContact.then(
    (infos) => {
      const evicting = infos.find(mayEvict);
      if (evicting && production && !allowEviction) {
        exitMisconfigured(
          `REDIS_URL: this Redis may evict entries (maxmemory-policy ${String(evicting.evictionPolicy)}), which brings revoked tokens back; set noeviction there, or ALLOW_EVICTION=on here`,
        );
      }
      return true;
    },
    (error: unknown) =>
      exitMisconfigured(`REDIS_URL: Redis refuses its user or password (${reasonOf(error)})`),
  );
  return Promise.race([contact, sleep(REDIS_START_TIMEOUT_MS, false, { ref: false })]);
}

function createServiceCore(config: Config, redis: Redis, log: Logger): Core & { meter: Meter } {
  const keys = readKeyRing(config, log);
  const { prefix, issuers, clockToleranceSeconds } = config;
  const shards =
    config.redis.mode === "cluster" ? createShards(prefix, config.shards) : createOneShard(prefix);
  const foreignTokens = createForeignTokens(issuers, { clockToleranceSeconds, log });
  const meter = createMeter();
  return { ...createCore({ ...config, redis, shards, keys, foreignTokens, meter, log }), meter };
}

function readKeyRing({ hasAccounts, key, verifyKeys }: Config, log: Logger): KeyRing {
  if (!hasAccounts) return NO_KEYS;
  const keys = createKeyRing(key ?? readKeptSecret(KEPT_SECRET_FILE), verifyKeys);
  // Operators compare this line on all instances before they let a new key sign.
  logEvent(log, "keys", { signs: keys.signing.kid, verify: keys.all.map(({ kid }) => kid) });
  return keys;
}

const urlOf = (host: string, port: number) => `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;

function greeting({ host, demo, hasAccounts }: Config, port: number, description: string): string {
  const url = urlOf(host, port);
  const body = `{"email":"you@example.com","password":"a long enough passphrase"}`;
  const isUp = `Curfew is up and ${description}.\n`;
  if (!hasAccounts) return `${isUp}It has no accounts. Open ${url}/docs\n`;
  return (
    isUp +
    `Open ${demo ? url : `${url}/docs`}, or try: curl ${url}/api/auth/register -H 'Content-Type: application/json' -d '${body}'\n`
  );
}

/** Requests in flight get their answers, then Redis is closed last. A second signal ends the process at once. */
function stopOnSignal(server: Listening, close: () => Promise<void>, graceMs: number, log: Logger): void {
  let isStopping = false;
  async function stop(signal: NodeJS.Signals): Promise<void> {
    if (isStopping) process.exit(1);
    isStopping = true;
    logEvent(log, "stopping", { signal });
    // If anything hangs, exit before whoever sent the signal sends SIGKILL.
    setTimeout(() => process.exit(0), LAST_MOMENT * graceMs);
    // SIGINT comes from a terminal, where no load balancer has to notice first.
    const quietMs = signal === "SIGINT" ? 0 : Math.min(QUIET_MS, graceMs / 4);
    await server.drain({ quietMs, graceMs });
    await close();
    process.exit(0);
  }
  process.on("SIGTERM", (signal) => void stop(signal));
  process.on("SIGINT", (signal) => void stop(signal));
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

main().catch((error: unknown) => {
  process.stderr.write(`Curfew can't start. ${messageOf(error)}\n`);
  process.exit(1);
});
