import { checkTogether } from "./checks";
import { readClientsFile, type OAuthClient } from "./clients";
import { readEnvironment } from "./environment";
import { readIssuersFile } from "./issuers";
import { readListedKeys, readSigningKey } from "./keys";
import { readRedisSource, type RedisSource } from "./redis";
import { SETTING_NAMES, type Settings } from "./table";
import type { TrustedIssuer } from "../issuers/foreign-tokens";
import type { SigningKey } from "../keys/keys";

/** The service's settings, as the environment has them. */
export type Config = Settings & {
  redis: RedisSource;
  /** Undefined outside production when none is configured or kept: the process then makes one and keeps it. */
  key: SigningKey | undefined;
  /** They verify and don't sign. The one that signs may be among them. */
  verifyKeys: SigningKey[];
  issuers: TrustedIssuer[];
  clients: OAuthClient[];
};

/** Reads every setting once, or throws one TypeError that names every bad variable. `findKeptKey` as in readSigningKey. */
export function readConfig(env: NodeJS.ProcessEnv, findKeptKey?: () => SigningKey | undefined): Config {
  const reading = readEnvironment(env);
  const settings = reading.readAll(SETTING_NAMES);
  const { production, issuer } = settings;
  const redis = readRedisSource(reading, production);
  const key = readSigningKey(reading, production, findKeptKey);
  const verifyKeys = readListedKeys(reading).map((each) => each.key);
  const ownKeys = key ? [key, ...verifyKeys] : verifyKeys;
  const issuers = readIssuersFile(reading, { production, ownIssuer: issuer, ownKeys, env });
  const clients = readClientsFile(reading);
  reading.read("accounts");
  const config = { ...settings, redis, key, verifyKeys, issuers, clients };
  checkTogether(reading, config);
  if (reading.problems.length > 0) throw new TypeError(reading.problems.join("\n"));
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

const ISSUERS_HINT = "the name of a JSON file with the issuers to trust, as docs/issuers.md describes it";
const CLIENTS_HINT =
  'the name of a JSON file with the clients: [{"client_id": "…", "client_secret_sha256": "…"}]';
export const isLoopback = (host: string) =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
