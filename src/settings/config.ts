import { checkTogether } from "./checks";
import { readClientsFile, type OAuthClient } from "./clients";
import { readEnvironment } from "./environment";
import { readIssuersFile } from "./issuers";
import { readListedKeys, readSigningKey } from "./keys";
import { readRedisSource, timeoutFor, type RedisSource } from "./redis";
import { SETTING_NAMES, type Settings } from "./table";
import type { TrustedIssuer } from "../issuers/trusted-issuer";
import type { SigningKey } from "../keys/keys";

/** The service's settings, read from the environment. */
export type Config = Settings & {
  redis: RedisSource;
  /** Without accounts there are no tokens of our own, and no keys. */
  hasAccounts: boolean;
  /** Undefined if none is configured or kept, outside production: the process then makes one and keeps it. */
  key: SigningKey | undefined;
  /** Keys that verify but don't sign. The one that signs may be among them. */
  verifyKeys: SigningKey[];
  issuers: TrustedIssuer[];
  clients: OAuthClient[];
};

/** Both places where the service has its routes are below. */
const REFRESH_PATH = "/api";

/**
 * Reads every setting once, or throws one TypeError that names every bad variable. `findKeptKey`: see readSigningKey.
 */
export function readConfig(env: NodeJS.ProcessEnv, findKeptKey?: () => SigningKey | undefined): Config {
  const reading = readEnvironment(env);
  const settings = reading.readAll(SETTING_NAMES);
  const { production, issuer } = settings;
  const cookies = { ...settings.cookies, refreshPath: REFRESH_PATH };
  const redis = readRedisSource(reading, production);
  const timeoutMs = timeoutFor(redis, settings.timeoutMs);
  const hasAccounts = reading.read("accounts");
  const key = hasAccounts ? readSigningKey(reading, production, findKeptKey) : undefined;
  const verifyKeys = hasAccounts ? readListedKeys(reading).map((each) => each.key) : [];
  const ownKeys = key ? [key, ...verifyKeys] : verifyKeys;
  const issuers = readIssuersFile(reading, { production, ownIssuer: issuer, ownKeys, env });
  const clients = readClientsFile(reading);
  const config = { ...settings, timeoutMs, cookies, redis, hasAccounts, key, verifyKeys, issuers, clients };
  checkTogether(reading, config);
  if (reading.problems.length > 0) throw new TypeError(reading.problems.join("\n"));
  return config;
}
