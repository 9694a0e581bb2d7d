import type { IncomingMessage, ServerResponse } from "node:http";
import type { Use } from "./denylist/alarms";
import type { Revocation } from "./denylist/revocation";
import type { Guard, Middleware } from "./http/middleware";
import type { SessionTokens, UserToOpen } from "./http/open-session";
import { createMount, type RoutesOptions, type TokenRequirement } from "./http/mount";
import { readOptions, type CurfewOptions } from "./settings/options";
import {
  readToken,
  readUser,
  readWhy,
  type TokenToRevoke,
  type ForeignSubject,
  type UserToRevoke,
  type Why,
} from "./denylist/revoking";
import { createCore } from "./core";
import { CurfewError } from "./errors";
import { logRule } from "./log/refusals";
import { connectRedis, type Redis } from "./redis/redis";
import { createOneShard, createShards } from "./redis/shards";
import { keyIdOf } from "./issuers/foreign-ids";
import { createForeignTokens } from "./issuers/foreign-tokens";
import { claimsOf, type Claims } from "./auth/tokens";

export type Curfew = {
  /**
   * The routes (register, login, refresh, logout, sessions, password, verify) for Express 4 and 5, at any path. They
   * answer their own errors and change nothing else in the app.
   */
  routes(options?: RoutesOptions): Middleware;
  /**
   * A guard for your routes, in Express 4 and 5. It requires a valid token with the role, if one is given, and sets
   * `req.auth` to its claims, with `subject` and `kind`. It answers every other request itself, so that those never reach your handler.
   */
  requireToken(requirement?: TokenRequirement): Guard;
  /**
   * Opens a session after a login of your own, and returns its tokens: the answer is yours to send. With the transport
   * `"cookie"` it has set the cookies, and the tokens aren't in what it returns. Resolves once Redis has acknowledged the
   * session.
   */
  openSession(req: IncomingMessage, res: ServerResponse, user: UserToOpen): Promise<SessionTokens>;
  /**
   * The same check without a request of Express's: returns the claims, or throws a CurfewError with a `code`, which is
   * `token_missing` where there is no token.
   */
  verify(token: string | undefined): Promise<Claims>;
  /**
   * Calls the listener once for every revocation from now on, within half a second, whichever instance it was made on.
   * While Redis can't be reached, nothing is delivered; afterwards, everything is. Returns an unsubscribe function.
   */
  onRevoked(listener: (revocation: Revocation) => unknown): () => void;
  /**
   * Revokes one of Curfew's own tokens. Resolves once Redis has acknowledged it; until then the token is still
   * accepted.
   */
  revoke(token: TokenToRevoke): Promise<void>;
  /** Ends all sessions of a user, or refuses every token that a foreign subject has so far. Resolves as above. */
  revokeUser(id: string, why?: Why): Promise<void>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- in a union with string, editors and linters take an object's `sub` for String's deprecated method
  revokeUser(subject: ForeignSubject, why?: Why): Promise<void>;
  /** Stops Curfew's timers and connections; your own Redis client stays open. Later requests get a 503. */
  close(): Promise<void>;
};

/** An app that calls `verify` doesn't say where the token came from. */
const BY_APP: Use = { by: "app", requester: { ip: null, userAgent: null }, about: {} };

function connect({ redis, timeoutMs, revokeMinReplicas: minReplicas, log }: ReturnType<typeof readOptions>) {
  if (redis.mode !== "memory") return connectRedis(redis, { timeoutMs, minReplicas }, log);
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- its Lua interpreter is for apps' tests alone, and import() would have the app wait
  const { connectMemory } = require("./redis/links/memory-link") as {
    connectMemory: (timeoutMs: number) => Redis;
  };
  return connectMemory(timeoutMs);
}

/**
 * Throws a TypeError that says what to write instead. It doesn't wait for Redis: until Redis answers, requests get a
 * 503.
 */
export function createCurfew(options: CurfewOptions): Curfew {
  const settled = readOptions(options, process.env);
  const { prefix, issuers, log } = settled;
  const redis = connect(settled);
  const isCluster = settled.redis.mode === "app-cluster";
  const shards = isCluster ? createShards(prefix, settled.shards) : createOneShard(prefix);
  const foreignTokens = createForeignTokens(issuers, settled);
  const core = createCore({ ...settled, redis, shards, foreignTokens });
  const mount = createMount(core, settled);
  const { tokens, denylist, alarms, auth, revoker, revocations } = core;

  async function revokeSubject(issuer: string, sub: string, why: Why): Promise<void> {
    const trusted = issuers.find(({ name }) => name === issuer);
    if (!trusted) throw new TypeError("There is no trusted issuer with that name.");
    const { issuer: iss, clockLeadSeconds, maxLifetimeSeconds } = trusted;
    const subject = { issuer, iss, sub, keyId: keyIdOf(sub), clockLeadSeconds, maxLifetimeSeconds };
    await revoker.subject(subject, readWhy(why));
  }

  return {
    ...mount,

    async verify(token) {
      try {
        if (token === undefined || token === "") throw new CurfewError("token_missing");
        const verified = await tokens.verify(token);
        await denylist.assertNotRevoked(verified);
        return claimsOf(verified);
      } catch (error) {
        logRule(log, error);
        alarms.raise(error, BY_APP);
        throw error;
      }
    },

    onRevoked(listener) {
      if (typeof listener !== "function")
        throw new TypeError("Write curfew.onRevoked((revocation) => { … }).");
      return revocations.follow(listener);
    },

    async revoke(given) {
      const { token, grounds } = readToken(given);
      await revoker.token(token, grounds);
    },

    async revokeUser(given: UserToRevoke, why: Why = {}) {
      const user = readUser(
        given,
        issuers.map(({ name }) => name),
      );
      if (typeof user === "string") await auth.endAllOf(user, readWhy(why));
      else await revokeSubject(user.issuer, user.sub, why);
    },

    async close() {
      await core.close();
      redis.close();
    },
  };
}
