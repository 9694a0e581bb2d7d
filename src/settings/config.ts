import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { readKey, readListedKeys, readRefreshTtl } from "./key-settings";
import { readOAuthClients, type OAuthClient } from "./oauth-clients";
import { readRedisConfig, type RedisConfig } from "./redis-settings";
import {
  createSettings,
  DEFAULT_RATES,
  durationSeconds,
  listOf,
  matching,
  MIN_PARTITION_TOLERANCE_MS,
  network,
  oneOf,
  rate,
  webOrigin,
  whole,
  type Rates,
  type Settings,
} from "./settings";
import { readTrustedIssuers } from "./trusted-issuers";
import type { TrustedIssuer } from "../issuers/foreign-tokens";
import type { SigningKey } from "../keys/keys";

export type Config = RedisConfig & {
  production: boolean;
  port: number;
  host: string;
  logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  shutdownGraceMs: number;
  /** How many replicas must have a revocation before it counts as done. */
  revokeMinReplicas: number;
  /** How lately replicas must have confirmed a write for a check to be answered. 0: no matter. */
  partitionToleranceMs: number;
  /** Whether a Redis that may evict entries is put up with in production. */
  allowsEviction: boolean;
  /** Undefined outside production when none is configured or kept: the process then makes one and keeps it. */
  key: SigningKey | undefined;
  /** They verify and don't sign. The one that signs may be among them. */
  verifyKeys: SigningKey[];
  issuer: string;
  audience: string;
  /** Outside issuers whose tokens are accepted too. */
  trustedIssuers: TrustedIssuer[];
  /** Who may ask about every token, and revoke it. */
  oauthClients: OAuthClient[];
  accessTtlSeconds: number;
  refreshTtlSeconds: number;
  sessionMaxTtlSeconds: number;
  refreshGraceSeconds: number;
  clockToleranceSeconds: number;
  passwordMinLength: number;
  cookieSecure: boolean;
  corsOrigins: string[];
  /** How many proxies stand in front of us, or which networks they are in. */
  trustProxy: number | string[];
  /** Undefined: nothing is limited. */
  rateLimits: Rates | undefined;
};

/** What a later version will read, where another value would be a promise that this one doesn't keep. */
const ONLY = [
  ["DENYLIST_MODE", "direct"],
  ["ACCOUNTS", "on"],
] as const;

/** Reads every setting once, or throws one TypeError that names every bad variable. `findKeptKey` as in readKey. */
export function readConfig(env: NodeJS.ProcessEnv, findKeptKey?: () => SigningKey | undefined): Config {
  const settings = createSettings(env);
  const { read, refuse, problems } = settings;
  const production =
    read("NODE_ENV", oneOf("development", "test", "production"), "development") === "production";

  const config: Config = {
    production,
    port: read("PORT", whole(0, 65_535), 3000),
    host: read(
      "HOST",
      matching(/^[\w.:-]+$/, "an address such as 127.0.0.1"),
      production ? "0.0.0.0" : "127.0.0.1",
    ),
    logLevel: read("LOG_LEVEL", oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"), "info"),
    shutdownGraceMs: read("SHUTDOWN_GRACE_MS", whole(0, 600_000), 10_000),
    ...readRedisConfig(settings, production),
    revokeMinReplicas: read("REVOKE_MIN_REPLICAS", whole(0, 100), 0),
    partitionToleranceMs: read("PARTITION_TOLERANCE_MS", whole(0, 60_000), 0),
    allowsEviction: read("ALLOW_EVICTION", oneOf("on", "off"), "off") === "on",
    key: readKey(settings, production, findKeptKey),
    verifyKeys: readListedKeys(settings).map(({ key }) => key),
    issuer: read("JWT_ISSUER", matching(/^\S{1,255}$/, "a name or URL without spaces"), "curfew"),
    audience: read("JWT_AUDIENCE", matching(/^\S{1,255}$/, "a name or URL without spaces"), "curfew"),
    trustedIssuers: [],
    oauthClients: readClientsFile(settings),
    accessTtlSeconds: read("ACCESS_TTL", durationSeconds, 15 * 60),
    refreshTtlSeconds: readRefreshTtl(settings),
    sessionMaxTtlSeconds: read("SESSION_MAX_TTL", durationSeconds, 90 * 86_400),
    refreshGraceSeconds: read("REFRESH_GRACE_SECONDS", whole(0, 300), 10),
    clockToleranceSeconds: read("CLOCK_TOLERANCE_SECONDS", whole(0, 300), 0),
    passwordMinLength: read("PASSWORD_MIN_LENGTH", whole(8, 128), 15),
    cookieSecure: { auto: production, on: true, off: false }[
      read("COOKIE_SECURE", oneOf("auto", "on", "off"), "auto")
    ],
    corsOrigins: read("CORS_ORIGINS", listOf(webOrigin), []),
    trustProxy: readTrustProxy(settings),
    rateLimits: readRateLimits(settings),
  };

  config.trustedIssuers = readIssuersFile(settings, env, config);

  for (const [name, value] of ONLY) read(name, oneOf(value), value);
  if (config.revokeMinReplicas > 0 && ["memory", "embedded"].includes(config.redis.mode)) {
    refuse("REVOKE_MIN_REPLICAS", "a Redis of our own has no replicas", "0, or set REDIS_URL");
  }
  if (config.partitionToleranceMs > 0 && config.revokeMinReplicas === 0) {
    refuse("PARTITION_TOLERANCE_MS", "no replica is asked to confirm", "0, or set REVOKE_MIN_REPLICAS");
  }
  if (config.partitionToleranceMs > 0 && config.partitionToleranceMs < MIN_PARTITION_TOLERANCE_MS) {
    refuse(
      "PARTITION_TOLERANCE_MS",
      "no replica confirms so quickly",
      `0, or ${MIN_PARTITION_TOLERANCE_MS} at least`,
    );
  }
  if (config.redis.mode === "memory" && !isLoopback(config.host)) {
    refuse(
      "HOST",
      `read ${JSON.stringify(config.host)}`,
      "127.0.0.1: memory:// is for trying out on one machine",
    );
  }
  if (config.refreshTtlSeconds < config.accessTtlSeconds) {
    refuse("REFRESH_TTL", "it is shorter than ACCESS_TTL", "a longer one");
  }
  if (config.sessionMaxTtlSeconds < config.refreshTtlSeconds) {
    refuse("SESSION_MAX_TTL", "it is shorter than REFRESH_TTL", "a longer one");
  }
  if (problems.length > 0) throw new TypeError(problems.join("\n"));
  return config;
}

/** Never `true`: then whoever sends a header decides which address it comes from. */
function readTrustProxy({ text, read }: Settings): number | string[] {
  const isCount = /^\d+$/.test(text("TRUST_PROXY") ?? "");
  return isCount ? read("TRUST_PROXY", whole(0, 32), 0) : read("TRUST_PROXY", PROXIES, 0);
}

const PROXIES = {
  ...listOf(network),
  expects: "how many proxies stand in front, or their networks: 10.0.0.0/8,::1",
};

function readRateLimits({ read }: Settings): Rates | undefined {
  const limits = {
    login: read("RATE_LIMIT_LOGIN", rate, DEFAULT_RATES.login),
    account: read("RATE_LIMIT_ACCOUNT", rate, DEFAULT_RATES.account),
    register: read("RATE_LIMIT_REGISTER", rate, DEFAULT_RATES.register),
    refresh: read("RATE_LIMIT_REFRESH", rate, DEFAULT_RATES.refresh),
    logout: read("RATE_LIMIT_LOGOUT", rate, DEFAULT_RATES.logout),
  };
  return read("RATE_LIMIT", oneOf("on", "off"), "on") === "on" ? limits : undefined;
}

function readIssuersFile(
  { text, refuse }: Settings,
  env: NodeJS.ProcessEnv,
  { production, issuer, key, verifyKeys }: Config,
): TrustedIssuer[] {
  const file = text("TRUSTED_ISSUERS_FILE");
  if (file === undefined) return [];
  const readFile = (name: string) => readFileSync(name, "utf8");
  const ownKeys = key ? [key, ...verifyKeys] : verifyKeys;
  try {
    return readTrustedIssuers(readFile(file), { production, ownIssuer: issuer, ownKeys, env, readFile });
  } catch (error) {
    if (error instanceof TypeError) {
      for (const problem of error.message.split("\n")) {
        const [found = "", write = ISSUERS_HINT] = problem.split(", write ");
        refuse("TRUSTED_ISSUERS_FILE", found, write);
      }
    } else {
      refuse("TRUSTED_ISSUERS_FILE", `it can't be read (${errorCode(error)})`, ISSUERS_HINT);
    }
    return [];
  }
}

function readClientsFile({ text, refuse }: Settings): OAuthClient[] {
  const file = text("OAUTH_CLIENTS_FILE");
  if (file === undefined) return [];
  try {
    const { clients, problems } = readOAuthClients(readFileSync(file, "utf8"));
    for (const problem of problems) refuse("OAUTH_CLIENTS_FILE", problem, CLIENTS_HINT);
    return clients;
  } catch (error) {
    refuse("OAUTH_CLIENTS_FILE", `it can't be read (${errorCode(error)})`, CLIENTS_HINT);
    return [];
  }
}

const errorCode = (error: unknown) => String((error as NodeJS.ErrnoException).code);

const ISSUERS_HINT = "the name of a JSON file with the issuers to trust, as the README describes it";
const CLIENTS_HINT =
  'the name of a JSON file with the clients: [{"client_id": "…", "client_secret_sha256": "…"}]';
export const isLoopback = (host: string) =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
