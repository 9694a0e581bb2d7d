import type { Accounts } from "../accounts/accounts";
import type { AppClient } from "../redis/app-client";
import type { Rates } from "./settings";
import type { IssuerEntry } from "./trusted-issuers";
import type { Log } from "./log";

/** A key as text: a secret of 32 bytes or more for HS256, or a private key in PEM (RSA of 2048 bits or more, or P-256). */
export type Key = { secret: string } | { privateKey: string };

/** What may be left out, and may be undefined, because that is what a setting that isn't set often is. */
type Optional<T> = { [Name in keyof T]?: T[Name] | undefined };

export type CurfewOptions = {
  /** Your ioredis 5 client, single, with sentinels or of a cluster: Curfew makes connections of its own like it. Or a URL. */
  redis: AppClient | string;
  /** What signs tokens; and, in `verify`, keys that only verify: the next and the previous ones. */
  keys: Key & { verify?: readonly Key[] | undefined };
} & Optional<{
  /** What every key in Redis begins with: `curfew:`. */
  prefix: string;
  /** How long Redis may take, all that one request asks of it together: 250. Then the answer is 503. */
  timeoutMs: number;
  /** In a cluster, over how many slots users are spread: 16. */
  shards: number;
  /** How many replicas must have a revocation before it counts as done: 0. */
  revokeMinReplicas: number;
  /** How lately so many replicas must have confirmed a write for a token to be accepted: 0, no matter. */
  partitionToleranceMs: number;
  /** Outside issuers whose tokens are accepted too. */
  issuers: readonly IssuerEntry[];
  /** Your own table of users. Left out, accounts are kept in Redis. */
  accounts: Accounts;
  /** The `iss` and the `aud` of our tokens: both `curfew`. */
  issuer: string;
  audience: string;
  accessTtlSeconds: number;
  refreshTtlSeconds: number;
  sessionMaxTtlSeconds: number;
  refreshGraceSeconds: number;
  clockToleranceSeconds: number;
  passwordMinLength: number;
  /** `secure`: with `Secure` and the prefixed names, which is the default. `refreshPath`: where the routes are, `/api`. */
  cookies: Optional<{ secure: boolean; refreshPath: string }>;
  /** Origins, other than your own, whose pages may act by cookie. */
  trustedOrigins: readonly string[];
  /** As text, `10/m`; or false for none. Addresses are your app's `req.ip`: set its `trust proxy`. */
  rateLimits: Optional<Record<keyof Rates, string>> | false;
  /** A logger as pino's are. Left out, warnings and errors go to standard error. */
  log: Log;
}>;
