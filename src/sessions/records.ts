import { whyIn } from "../denylist/entry-text";
import type { WhyOver } from "../errors";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import type { RefreshToken } from "../tokens/refresh-tokens";

export type Session = {
  id: string;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
  ip: string | null;
  userAgent: string | null;
};

/** The holder of a session that has no account, as the app said when it opened it. */
export type OpenedAs = { roles: string[]; email: string | null };

export const sessionKey = (prefix: string, sid: string) => `${prefix}session:${sid}`;
export const userSessionsKey = (prefix: string, user: string) => `${prefix}user-sessions:${user}`;

/** Reads what Redis keeps of sessions, and changes nothing. */
export function createRecords(redis: Redis, shards: Shards) {
  return {
    /** Why a session is over, from what it left behind; empty if nothing is left, or if it can't be read now. */
    async whyOver({ sub, sid }: Pick<RefreshToken, "sub" | "sid">): Promise<WhyOver> {
      const key = sessionKey(shards.prefixOf(sub), sid);
      const { user, ended_reason, ended_at } = await redis
        .ask((client) => client.hgetall(key))
        .catch((): Record<string, string> => ({}));
      return user === sub ? whyIn({ reason: ended_reason, revoked_at: ended_at }) : {};
    },

    /** Undefined for a session of somebody who has an account, and for one that is over. */
    async openedAs({ sub, sid }: Pick<RefreshToken, "sub" | "sid">): Promise<OpenedAs | undefined> {
      const key = sessionKey(shards.prefixOf(sub), sid);
      const text = await redis.ask((client) => client.hget(key, "opened_as"));
      return text === null ? undefined : (JSON.parse(text) as OpenedAs);
    },

    /** Whose session it is, live or ended; undefined where nothing is left of it. */
    async ownerOf(sid: string): Promise<string | undefined> {
      const owners = await redis.ask((client) =>
        Promise.all(shards.prefixes.map((prefix) => client.hget(sessionKey(prefix, sid), "user"))),
      );
      return owners.find((owner) => owner !== null) ?? undefined;
    },

    /** The user's live sessions, oldest first. */
    async list(user: string): Promise<Session[]> {
      const prefix = shards.prefixOf(user);
      const sids = await redis.ask((client) => client.zrange(userSessionsKey(prefix, user), 0, -1));
      const hashes = await redis.ask((client) =>
        Promise.all(sids.map((sid) => client.hgetall(sessionKey(prefix, sid)))),
      );
      return hashes
        .map((hash, at) => readSession(sids[at] ?? "", hash))
        .filter((session) => session !== undefined);
    },
  };
}

/**
 * Undefined for a session that has ended or expired: its hash is gone, or kept only until its last access token
 * expires.
 */
function readSession(id: string, hash: Record<string, string>): Session | undefined {
  const { created_at, last_used_at, expires_at, ended_at, ip, user_agent } = hash;
  if (!created_at || !last_used_at || !expires_at || ended_at) return undefined;
  if (Date.parse(expires_at) <= Date.now()) return undefined;
  return {
    id,
    createdAt: created_at,
    lastUsedAt: last_used_at,
    expiresAt: expires_at,
    ip: ip === "" ? null : (ip ?? null),
    userAgent: user_agent === "" ? null : (user_agent ?? null),
  };
}
