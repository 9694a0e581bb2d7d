import type { Use } from "./denylist/alarms";
import type { Revocation } from "./denylist/revocation";
import type { Middleware } from "./http/middleware";
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
import { connectRedis } from "./redis/redis";
import { createOneShard, createShards } from "./redis/shards";
import { keyIdOf } from "./issuers/foreign-ids";
import { createForeignTokens } from "./issuers/foreign-tokens";
import type { Token } from "./auth/tokens";

export type Curfew = {
  /**
   * Our routes, for Express 4 and 5, at any path: register, login, refresh, logout, sessions, password, verify. They answer
   * their own errors, and change nothing in the app around them.
   */
  routes(options?: RoutesOptions): Middleware;
  /**
   * A guard for your routes, in Express 4 and 5. A request passes only with a token that is genuine, alive, not revoked, and
   * has the role; `req.auth` then says whose. Every other request is answered here, and never reaches your handler.
   */
  requireToken(requirement?: TokenRequirement): Middleware;
  /** The same check for what is no request of Express's: the claims, or a CurfewError with a `code`. */
  verify(token: string): Promise<Token>;
  /**
   * Tells of every revocation from now on, whichever instance it was made on, within half a second, each once. While Redis
   * can't be reached it tells nothing, and all of it afterwards. Returns an unsubscribe function.
   */
  onRevoked(listener: (revocation: Revocation) => unknown): () => void;
  /** Resolves once Redis has acknowledged that this token of ours is denied. Until then it isn't. */
  revoke(token: TokenToRevoke): Promise<void>;
  /** Ends all sessions of one of our users, or refuses all tokens so far of an outside issuer's subject. Resolves as above. */
  revokeUser(id: string, why?: Why): Promise<void>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- in a union with string, `sub` is a string's, and deprecated
  revokeUser(subject: ForeignSubject, why?: Why): Promise<void>;
  /** Ends our timers and connections, and nothing of yours. Whatever asks afterwards is refused with a 503. */
  close(): Promise<void>;
};

/** From where the app has the token, we aren't told. */
const BY_APP: Use = { by: "app", requester: { ip: null, userAgent: null }, about: {} };

/** Throws a TypeError that says what to write instead. It waits for nothing: until Redis answers, requests get a 503. */
export function createCurfew(options: CurfewOptions): Curfew {
  const settled = readOptions(options, process.env);
  const { log, timeoutMs, revokeMinReplicas, prefix, issuers } = settled;
  const redis = connectRedis(settled.redis, { timeoutMs, minReplicas: revokeMinReplicas }, log);
  const isCluster = settled.redis.mode === "app-cluster";
  const shards = isCluster ? createShards(prefix, settled.shards) : createOneShard(prefix);
  const foreignTokens = createForeignTokens(issuers, settled);
  const core = createCore({ ...settled, redis, shards, foreignTokens });
  const mount = createMount(core, settled);
  const { tokens, denylist, alarms, auth, revoker, revocations } = core;

  async function revokeSubject(issuer: string, sub: string, why: Why): Promise<void> {
    const trusted = issuers.find(({ name }) => name === issuer);
    if (!trusted) throw new TypeError("There is no issuer of that name.");
    const { issuer: iss, clockLeadSeconds, maxLifetimeSeconds } = trusted;
    const subject = { issuer, iss, sub, keyId: keyIdOf(sub), clockLeadSeconds, maxLifetimeSeconds };
    await revoker.subject(subject, readWhy(why));
  }

  return {
    ...mount,

    async verify(token) {
      const claims = await tokens.verify(token);
      try {
        await denylist.assertNotRevoked(claims);
      } catch (error) {
        alarms.raise(error, BY_APP);
        throw error;
      }
      return claims;
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

    close() {
      core.close();
      redis.close();
      return Promise.resolve();
    },
  };
}
