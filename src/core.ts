import type { Logger } from "pino";
import { createAccounts, type Accounts } from "./accounts/accounts";
import { createAuth, type Auth } from "./auth/auth";
import { createConfirmations } from "./denylist/past/confirmations";
import { createAlarms, type Alarms } from "./denylist/alarms";
import { createDenylist, type Denylist } from "./denylist/denylist";
import { createEpochs, type Epochs } from "./denylist/past/epochs";
import { createForeignSessions } from "./denylist/foreign-sessions";
import { createPast } from "./denylist/past/past";
import { createRevocations, type Revocations } from "./denylist/revocations";
import { createRevoker, type Revoker } from "./denylist/revoker";
import { createWriter } from "./denylist/writer";
import { createPasswords, type Passwords } from "./accounts/passwords";
import type { Meter } from "./metrics/meter";
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
  epochs: Epochs;
  alarms: Alarms;
  revoker: Revoker;
  revocations: Revocations;
  auth: Auth;
  ops: Ops;
  passwords: Passwords;
  meter: Meter | undefined;
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
    /** Left out, nothing is counted. */
    meter?: Meter | undefined;
    log: Logger;
  };

export function createCore(options: CoreOptions): Core {
  const { redis, shards, keys, foreignTokens, meter, log, clockToleranceSeconds } = options;
  const accessTokens = createAccessTokens(options);
  const refreshTokens = createRefreshTokens(keys);
  const tokens = createTokens(accessTokens, foreignTokens);
  const epochs = createEpochs(redis, log);
  const past = createPast(redis, epochs, createConfirmations(redis, options.partitionToleranceMs));
  const stopWatching = past.watch(shards.prefixes);
  const writer = createWriter(redis, shards, past, meter?.revoked);
  const asked = createDenylist(redis, shards, epochs, past);
  const denylist = meter?.timed(asked) ?? asked;
  const passwords = createPasswords(options.passwordMinLength);
  const accounts = options.accounts ?? createAccounts(redis, shards);
  const sessions = createSessions(redis, shards, writer, options);
  const auth = createAuth({
    accounts,
    passwords,
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
    ...{
      redis,
      shards,
      keys,
      tokens,
      refreshTokens,
      denylist,
      epochs,
      alarms,
      revoker,
      revocations,
      auth,
      ops,
    },
    ...{ passwords, meter, log },
    close,
  };
}
