import type { Logger } from "pino";
import { createAccounts, type Accounts } from "./accounts/accounts";
import { createAuth, type Auth } from "./auth/auth";
import { createConfirmations } from "./denylist/past/confirmations";
import { createAlarms, type Alarms } from "./denylist/alarms";
import { createDenylist, type Denylist } from "./denylist/denylist";
import { createEpochs } from "./denylist/past/epochs";
import { createForeignSessions } from "./denylist/foreign-sessions";
import { createPast } from "./denylist/past/past";
import { createRevocations, type Revocations } from "./denylist/revocations";
import { createRevoker, type Revoker } from "./denylist/revoker";
import { createWriter } from "./denylist/writer";
import { createPasswords } from "./accounts/passwords";
import type { Redis } from "./redis/redis";
import { createSessions, type SessionOptions } from "./sessions/sessions";
import type { Shards } from "./redis/shards";
import type { Settings } from "./settings/table";
import { createAccessTokens, type AccessTokenOptions } from "./tokens/access-tokens";
import type { ForeignTokens } from "./issuers/foreign-tokens";
import type { KeyRing } from "./keys/key-ring";
import { createRefreshTokens, type RefreshTokens } from "./tokens/refresh-tokens";
import { createTokens, type Tokens } from "./auth/tokens";
import type { TrustedIssuer } from "./issuers/foreign-tokens";
import { createOps, type Ops } from "./ops/ops";

/** The parts of the service and the library, wired together in one place. */
export type Core = {
  redis: Redis;
  shards: Shards;
  keys: KeyRing;
  tokens: Tokens;
  refreshTokens: RefreshTokens;
  denylist: Denylist;
  alarms: Alarms;
  revoker: Revoker;
  revocations: Revocations;
  auth: Auth;
  ops: Ops;
  log: Logger;
  /** Stops all timers. Whoever connected Redis closes it. */
  close(): void;
};

export type CoreOptions = AccessTokenOptions &
  SessionOptions &
  Pick<Settings, "partitionToleranceMs" | "passwordMinLength"> & {
    redis: Redis;
    shards: Shards;
    keys: KeyRing;
    foreignTokens: ForeignTokens & { close(): void };
    issuers: readonly TrustedIssuer[];
    /** Left out, accounts are kept in Redis. */
    accounts?: Accounts | undefined;
    log: Logger;
  };

export function createCore(options: CoreOptions): Core {
  const { redis, shards, keys, foreignTokens, log, clockToleranceSeconds } = options;
  const accessTokens = createAccessTokens(options);
  const refreshTokens = createRefreshTokens(keys);
  const tokens = createTokens(accessTokens, foreignTokens);
  const epochs = createEpochs(redis, log);
  const past = createPast(redis, epochs, createConfirmations(redis, options.partitionToleranceMs));
  const stopWatching = past.watch(shards.prefixes);
  const writer = createWriter(redis, shards, past);
  const denylist = createDenylist(redis, shards, epochs, past);
  const accounts = options.accounts ?? createAccounts(redis, shards);
  const sessions = createSessions(redis, shards, writer, options);
  const auth = createAuth({
    accounts,
    passwords: createPasswords(options.passwordMinLength),
    sessions,
    foreignSessions: createForeignSessions(writer, clockToleranceSeconds),
    accessTokens,
    tokens,
    refreshTokens,
    denylist,
    clockToleranceSeconds,
  });
  const revoker = createRevoker(writer, shards, options);
  const alarms = createAlarms({ redis, shards, past, log });
  const revocations = createRevocations(redis, shards, log);
  const ops = createOps({
    ...{ redis, shards, tokens, refreshTokens, denylist, revoker, sessions },
    issuers: options.issuers,
    accounts,
  });
  function close(): void {
    stopWatching();
    revocations.close();
    alarms.close();
    foreignTokens.close();
  }
  return {
    ...{ redis, shards, keys, tokens, refreshTokens, denylist, alarms, revoker, revocations, auth, ops, log },
    close,
  };
}
