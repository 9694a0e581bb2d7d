import type { Logger } from "pino";
import { createAccounts, type Accounts } from "./accounts/accounts";
import { createDirectory } from "./accounts/directory";
import { createAuth, type Auth } from "./auth/auth";
import { createIssuerLogout, type IssuerLogout } from "./auth/issuer-logout";
import { createConfirmations } from "./denylist/past/confirmations";
import { createAlarms, type Alarms } from "./denylist/alarms";
import { createDenylist, type Denylist } from "./denylist/denylist";
import { createEpochs, type Epochs } from "./denylist/past/epochs";
import { createForeignSessions } from "./denylist/foreign-sessions";
import { createLogoutAtIssuer } from "./denylist/logout-at-issuer";
import { createMirror, type Mirror } from "./denylist/mirror/mirror";
import { createPast, type Past } from "./denylist/past/past";
import { createRevocations, type Revocations } from "./denylist/revocations";
import { createRevoker, type Revoker } from "./denylist/revoker";
import { createWriter, type Writer } from "./denylist/writer";
import { createPasswords, type Passwords } from "./accounts/passwords";
import type { Meter } from "./metrics/meter";
import type { Redis } from "./redis/redis";
import { createSessions, type SessionOptions, type Sessions } from "./sessions/sessions";
import type { Shards } from "./redis/shards";
import type { Settings } from "./settings/table";
import { createAccessTokens, type AccessTokenOptions } from "./tokens/access-tokens";
import type { ForeignTokens } from "./issuers/foreign-tokens";
import type { KeyRing } from "./keys/key-ring";
import { createRefreshTokens, type RefreshTokens } from "./tokens/refresh-tokens";
import { createTokens, type Tokens } from "./auth/tokens";
import type { TrustedIssuer } from "./issuers/trusted-issuer";
import { createKeylessOps, createOps, type KeylessOps, type Ops } from "./ops/ops";
import { createPeople, type People } from "./ops/people";

/** The parts that need no signing key, wired together in one place: the command `curfew` is made of them, too. */
export type Base = {
  redis: Redis;
  shards: Shards;
  past: Past;
  writer: Writer;
  denylist: Denylist;
  /** Undefined if every check asks Redis. */
  mirror: Mirror | undefined;
  epochs: Epochs;
  sessions: Sessions;
  passwords: Passwords;
  /** Of those who may log in: the app's, or those in Redis. */
  accounts: Accounts;
  revoker: Revoker;
  revocations: Revocations;
  /** The accounts in Redis. An app's own aren't among them. */
  people: People;
  ops: KeylessOps;
  meter: Meter | undefined;
  log: Logger;
};

export type BaseOptions = SessionOptions &
  Pick<Settings, "partitionToleranceMs" | "passwordMinLength" | "mode" | "mirrorMaxStalenessMs"> & {
    redis: Redis;
    shards: Shards;
    issuers: readonly TrustedIssuer[];
    /** Left out, accounts are kept in Redis. */
    accounts?: Accounts | undefined;
    /** Left out, nothing is counted. */
    meter?: Meter | undefined;
    log: Logger;
  };

/** Starts no timers. Whoever connected Redis closes it. */
export function createBase(options: BaseOptions): Base {
  const { redis, shards, meter, log, partitionToleranceMs, passwordMinLength } = options;
  const epochs = createEpochs(redis, log);
  const past = createPast(redis, epochs, createConfirmations(redis, partitionToleranceMs));
  const { track } = redis;
  const mirror =
    options.mode === "mirror" && track
      ? createMirror({ redis: { ...redis, track }, shards, epochs, past, log }, options.mirrorMaxStalenessMs)
      : undefined;
  const writer = createWriter(redis, shards, past, { onRevoked: meter?.revoked, onWritten: mirror?.wrote });
  const checks = createDenylist(redis, shards, epochs, past, mirror);
  const denylist = meter?.timed(checks) ?? checks;
  const sessions = createSessions(redis, shards, writer, options);
  const passwords = createPasswords(passwordMinLength);
  const kept = createAccounts(redis, shards);
  const accounts = options.accounts ?? kept;
  const directory = createDirectory(redis, shards);
  const revoker = createRevoker(writer, shards, options);
  return {
    ...{ redis, shards, past, writer, denylist, mirror, epochs, sessions, passwords, revoker, meter, log },
    accounts,
    revocations: createRevocations(redis, shards, log),
    people: createPeople({ accounts: kept, directory, passwords, sessions, writer, shards }),
    ops: createKeylessOps({
      ...options,
      ...{ accounts, denylist, mirror, revoker, sessions },
    }),
  };
}

/** The parts of the service and the library. */
export type Core = Omit<Base, "ops"> & {
  keys: KeyRing;
  tokens: Tokens;
  refreshTokens: RefreshTokens;
  alarms: Alarms;
  auth: Auth;
  ops: Ops;
  issuerLogout: IssuerLogout;
  /** The issuers whose keys couldn't be fetched lately. */
  issuerWarnings: ForeignTokens["warnings"];
  /** Stops all timers, and tells Redis what it still has to be told. Whoever connected Redis closes it then. */
  close(): Promise<void>;
};

export type CoreOptions = BaseOptions &
  AccessTokenOptions & {
    keys: KeyRing;
    foreignTokens: ForeignTokens & { close(): void };
  };

export function createCore(options: CoreOptions): Core {
  const { redis, shards, keys, foreignTokens, log, clockToleranceSeconds } = options;
  const base = createBase(options);
  const { past, writer, mirror, revocations } = base;
  const accessTokens = createAccessTokens(options);
  const refreshTokens = createRefreshTokens(keys);
  const tokens = createTokens(accessTokens, foreignTokens);
  const stopWatching = past.watch(shards.prefixes);
  const stopFollowing = mirror?.follow();
  const auth = createAuth({
    ...base,
    areAccountsTheApps: options.accounts !== undefined,
    foreignSessions: createForeignSessions(writer, clockToleranceSeconds),
    accessTokens,
    tokens,
    refreshTokens,
    clockToleranceSeconds,
  });
  const alarms = createAlarms({ redis, shards, past, log });
  const ops = createOps(base.ops, { ...base, tokens, refreshTokens });
  async function close(): Promise<void> {
    stopWatching();
    stopFollowing?.();
    revocations.close();
    foreignTokens.close();
    await alarms.close();
  }
  const { logoutTokens, warnings: issuerWarnings } = foreignTokens;
  const atIssuer = createLogoutAtIssuer({ writer, shards, redis, clockToleranceSeconds });
  const issuerLogout = createIssuerLogout(logoutTokens, atIssuer);
  const credentials = { keys, tokens, refreshTokens };
  return { ...base, ...credentials, alarms, auth, ops, issuerLogout, issuerWarnings, close };
}
