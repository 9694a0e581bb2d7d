import type { Server } from "node:http";
import { isIPv6, type AddressInfo } from "node:net";
import { join } from "node:path";
import pino, { type Logger } from "pino";
import { createAccounts } from "./accounts";
import { createAuth } from "./auth";
import { isLoopback, readConfig, type Config } from "./config";
import { createDenylist } from "./denylist/denylist";
import { startEmbeddedRedis } from "./embedded-redis";
import { createApp } from "./http/app";
import { listen } from "./http/server";
import { createPasswords } from "./passwords";
import { connectMemory, connectRedis, type Redis } from "./redis";
import { createSessions } from "./sessions/sessions";
import { createAccessTokens } from "./tokens/access-tokens";
import { readKeptSecret } from "./tokens/kept-secret";
import { createRefreshTokens } from "./tokens/refresh-tokens";

const DATA_DIR = ".data";
const EXIT_MISCONFIGURED = 78;
const REDIS_START_TIMEOUT_MS = 2000;
const NOT_READY = "can't reach Redis yet; until it can, it answers 503";

type Storage = { redis: Redis; description: string; stop: () => Promise<void> };

async function main(): Promise<void> {
  const config = readConfigOrExit();
  const log = pino({ level: config.logLevel, timestamp: pino.stdTimeFunctions.isoTime });
  const storage = await openStorage(config, log);
  const isReady = await storage.redis.untilReady(REDIS_START_TIMEOUT_MS);
  const server = await listen(createService(config, storage.redis, log), config.port, config.host);
  const { port } = server.address() as AddressInfo;
  // Whoever starts the service waits for this line, whatever the log level.
  log.child({}, { level: "info" }).info({ port, host: config.host }, "listening");
  if (!config.production)
    process.stderr.write(greeting(urlOf(config.host, port), isReady ? storage.description : NOT_READY));
  stopOnSignal(server, storage, config.shutdownGraceMs, log);
}

function readConfigOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    process.stderr.write(`Curfew can't start with this configuration.\n${messageOf(error)}\n`);
    process.exit(EXIT_MISCONFIGURED);
  }
}

async function openStorage(config: Config, log: Logger): Promise<Storage> {
  const { redisUrl, redisTimeoutMs } = config;
  const embedded = redisUrl === "embedded://" ? await startEmbeddedRedis(join(DATA_DIR, "redis")) : undefined;
  if (embedded) {
    const redis = connectRedis({ path: embedded.socketPath }, redisTimeoutMs, log);
    return {
      redis,
      description: `keeps its data in a redis-server of its own, in ${DATA_DIR}/redis`,
      stop: embedded.stop,
    };
  }
  const stop = () => Promise.resolve();
  if (redisUrl === "memory://" || redisUrl === "embedded://") {
    if (!isLoopback(config.host)) {
      throw new Error(
        "There is no redis-server on the PATH. Without one, HOST must be a loopback address, or set REDIS_URL.",
      );
    }
    const why = redisUrl === "memory://" ? "was told to use memory://" : "found no redis-server on the PATH";
    return { redis: connectMemory(), description: `${why}: IT FORGETS EVERYTHING when it ends`, stop };
  }
  return {
    redis: connectRedis({ url: redisUrl }, redisTimeoutMs, log),
    description: "uses the Redis in REDIS_URL",
    stop,
  };
}

function createService(config: Config, redis: Redis, log: Logger) {
  const key = config.key ?? readKeptSecret(join(DATA_DIR, "jwt-secret"));
  const accessTokens = createAccessTokens({
    key,
    issuer: config.issuer,
    audience: config.audience,
    ttlSeconds: config.accessTtlSeconds,
    clockToleranceSeconds: config.clockToleranceSeconds,
  });
  const refreshTokens = createRefreshTokens(key);
  const auth = createAuth({
    accounts: createAccounts(redis, config.redisPrefix),
    passwords: createPasswords(config.passwordMinLength),
    sessions: createSessions(redis, { prefix: config.redisPrefix, ...config }),
    accessTokens,
    refreshTokens,
  });
  const denylist = createDenylist(redis, config.redisPrefix);
  return createApp({ auth, accessTokens, refreshTokens, denylist, redis, log }, config);
}

const urlOf = (host: string, port: number) => `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;

function greeting(url: string, description: string): string {
  const body = `{"email":"you@example.com","password":"a long enough passphrase"}`;
  return (
    `Curfew is up and ${description}.\n` +
    `Open ${url}/docs, or try: curl ${url}/api/auth/register -H 'Content-Type: application/json' -d '${body}'\n`
  );
}

/** What is being answered gets its answer; then Redis, last of all, is let go. A second signal ends at once. */
function stopOnSignal(server: Server, storage: Storage, graceMs: number, log: Logger): void {
  let isStopping = false;
  async function stop(signal: NodeJS.Signals): Promise<void> {
    if (isStopping) process.exit(1);
    isStopping = true;
    log.info({ signal }, "stopping");
    const closed = new Promise((resolve) => server.close(resolve));
    setTimeout(() => {
      server.closeAllConnections();
    }, graceMs).unref();
    await closed;
    storage.redis.close();
    await storage.stop();
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
