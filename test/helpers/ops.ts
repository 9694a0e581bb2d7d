import pino from "pino";
import { createAccounts, type Accounts } from "../../src/accounts/accounts";
import { createCore, type Core } from "../../src/core";
import { createForeignTokens } from "../../src/issuers/foreign-tokens";
import type { TrustedIssuer } from "../../src/issuers/trusted-issuer";
import { createKeyRing } from "../../src/keys/key-ring";
import { readSecret } from "../../src/keys/keys";
import { connectRedis } from "../../src/redis/redis";
import { createOneShard, createShards, type Shards } from "../../src/redis/shards";
import { SECRET } from "./service";
import type { TestRedis } from "./redis";
import { use } from "./use";

const log = pino({ level: "silent" });

export const SETTINGS = {
  ...{
    issuer: "curfew",
    audience: "curfew",
    clientId: "curfew",
    accessTtlSeconds: 900,
    refreshTtlSeconds: 3600,
  },
  ...{ sessionMaxTtlSeconds: 7200, refreshGraceSeconds: 10, clockToleranceSeconds: 0 },
  ...{ partitionToleranceMs: 0, passwordMinLength: 8 },
};

type Options = {
  shards?: Shards;
  issuers?: TrustedIssuer[];
  key?: string;
  /** Puts something around the accounts that are in Redis. */
  around?: (accounts: Accounts) => Accounts;
};

/** What a service or a command is made of, in this process, on a Redis. */
export const useCore = (redis: TestRedis, options: Options = {}): Core =>
  use(async () => {
    const { shards = createOneShard("curfew:"), issuers = [], key = SECRET, around } = options;
    const connection = connectRedis(
      { mode: "single", url: redis.url },
      { timeoutMs: 2000, minReplicas: 0 },
      log,
    );
    await connection.firstContact;
    const core = createCore({
      ...SETTINGS,
      ...{ redis: connection, shards, issuers, log },
      accounts: around?.(createAccounts(connection, shards)),
      keys: createKeyRing(readSecret(key)),
      foreignTokens: createForeignTokens(issuers, { clockToleranceSeconds: 0, log }),
    });
    const stop = () => {
      core.close();
      connection.close();
    };
    return { ...core, stop };
  });

/** Shards as a cluster has them, here all on one node. */
export const SHARDS = createShards("curfew:", 4);
