import { join } from "node:path";
import type { LogoutToken } from "../issuers/logout-tokens";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import { CLOCK_ALLOWANCE_SECONDS } from "../tokens/access-tokens";
import { cutOffNow } from "./cut-off";
import {
  contextOf,
  entryOf,
  foreign,
  sidKey,
  subKey,
  type Reason,
  type Requester,
  type WriteContext,
} from "./entry";
import { readWritingScript, type ScriptCall, type Writer } from "./writer";

/** Ends what an issuer says has ended there. */
export type LogoutAtIssuer = {
  /**
   * Denies the session that the logout token names, else every token of its subject so far. Resolves only when Redis
   * has acknowledged it; to false if that had happened before, with the same logout token.
   */
  end(token: LogoutToken, requester: Requester): Promise<boolean>;
};

export type LogoutAtIssuerParts = {
  writer: Writer;
  shards: Shards;
  redis: Redis;
  clockToleranceSeconds: number;
};

const LOGOUT_AT_ISSUER = readWritingScript(
  join(__dirname, "subject.lua"),
  join(__dirname, "logout-at-issuer.lua"),
);

const REASON = "logout_at_issuer" satisfies Reason;

/** Remembers a logout token for as long as it could be sent again, so that nobody can end a later sign-in with it. */
const takenKey = (prefix: string, { issuer, keyId }: LogoutToken) =>
  `${prefix}logout-token:${foreign(issuer.name, keyId)}`;

export function createLogoutAtIssuer(parts: LogoutAtIssuerParts): LogoutAtIssuer {
  const { writer, shards, redis, clockToleranceSeconds } = parts;

  function workOf(token: LogoutToken, context: WriteContext, kind: string): ScriptCall {
    const { issuer, sid, sub, goodUntil } = token;
    const { issuer: iss, name } = issuer;
    const { cutoff, ttlMs } = cutOffNow(issuer, clockToleranceSeconds, context.nowMs);
    const exp = Math.ceil((context.nowMs + ttlMs) / 1000);
    const named = { jti: null, sid: sid?.id ?? null, iat: null, exp };
    return {
      script: LOGOUT_AT_ISSUER,
      keys: (prefix) => [
        sid ? sidKey(prefix, foreign(name, sid.keyId)) : subKey(prefix, foreign(name, sub?.keyId ?? "")),
        takenKey(prefix, token),
      ],
      args: () => ({
        ...{ reason: REASON, kind, sid: sid?.id ?? "", cutoff },
        session_entry: entryOf(context, iss, named, { reason: REASON }),
        session_ttl_ms: ttlMs,
        subject_entry: entryOf(context, iss, undefined, { cutoff: null, reason: REASON }),
        subject_ttl_ms: ttlMs,
        token_ttl_ms: Math.ceil((goodUntil + CLOCK_ALLOWANCE_SECONDS) * 1000 - context.nowMs),
      }),
    };
  }

  return {
    async end(token, requester) {
      const { sid, issuer } = token;
      const by = `issuer:${issuer.name}`;
      const subject = subjectOf(token);
      const context = contextOf(subject ?? "", { by, requester });
      const [home = "", ...others] = subject === undefined ? shards.prefixes : [shards.prefixOf(subject)];
      // As for any token or session without a known subject: told of once, and only when every shard has denied it.
      await Promise.all(others.map((prefix) => writer.revoke(context, workOf(token, context, ""), prefix)));
      const work = workOf(token, context, sid ? "session" : "user");
      if ((await writer.revoke(context, work, home)) === "taken") return false;
      const key = takenKey(home, token);
      await redis.ask((client) => client.set(key, "acknowledged", "KEEPTTL", "XX"));
      return true;
    },
  };
}

/**
 * The subject that access tokens of this session have, which decides the shard. Undefined if the logout token doesn't
 * say: it names the subject by `sub`, and access tokens may have theirs in another claim.
 */
function subjectOf({ issuer, sid, sub }: LogoutToken): string | undefined {
  if (sub === undefined || (sid && issuer.claims.subject !== "sub")) return undefined;
  return foreign(issuer.name, sub.id);
}
