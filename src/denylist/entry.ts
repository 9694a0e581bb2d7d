import type { ForeignToken } from "../issuers/foreign-tokens";

/** The denylist's keys and values: a public format, which ops staff and other languages read and write too. */

export const REASONS = [
  "logout",
  "logout_all_devices",
  "session_ended",
  "password_changed",
  "refresh_reused",
  "revoked_by_client",
] as const;

export type Reason = (typeof REASONS)[number];

/** Who asks for something, and from where. */
export type Requester = { ip: string | null; userAgent: string | null };

/** Where no request is behind it. */
export const NOBODY: Requester = { ip: null, userAgent: null };

/** Who does something to whose tokens, and when; `note` in whose own words. `sub` is empty where that isn't known. */
export type WriteContext = { sub: string; by: string; requester: Requester; nowMs: number; note?: string };

/** Who ends what a credential names, and why: its owner, or a client that it was shown to. */
export const endedBy = (sub: string, client: string | undefined): { by: string; reason: Reason } =>
  client === undefined
    ? { by: sub, reason: "logout" }
    : { by: `client:${client}`, reason: "revoked_by_client" };

type Entry = {
  jti: string | null;
  sub: string | null;
  sid: string | null;
  iss: string;
  iat: number | null;
  exp: number | null;
  revoked_at: string;
  reason: Reason | null;
  by: string;
  ip: string | null;
  user_agent: string | null;
  /** Of a subject only: its tokens issued up to then (Unix seconds) are denied. */
  cutoff?: number | null;
  /** In the words of whoever revoked it. */
  note?: string;
};

const USER_AGENT_MAX = 128;

/** Written to see whether Redis takes writes, and before WAIT, which waits for what was written last. */
export const probeKey = (prefix: string) => `${prefix}probe`;

export const jtiKey = (prefix: string, jti: string) => `${prefix}denylist:jti:${jti}`;
export const sidKey = (prefix: string, sid: string) => `${prefix}denylist:sid:${sid}`;
/** Every token of a subject of an outside issuer that was issued up to the entry's cutoff. */
export const subKey = (prefix: string, sub: string) => `${prefix}denylist:sub:${sub}`;

/** A name that an outside issuer gave: a token's, a session's, a subject's. Two issuers' equal names are two. */
export const foreign = (issuer: string, id: string) => `${issuer}:${id}`;

/** Where a token of an outside issuer may be denied: by itself, with its subject, with its session. */
export const foreignKeys = (prefix: string, { issuer, keyIds }: Pick<ForeignToken, "issuer" | "keyIds">) => ({
  jti: jtiKey(prefix, foreign(issuer, keyIds.jti)),
  sub: subKey(prefix, foreign(issuer, keyIds.sub)),
  sid: keyIds.sid === undefined ? undefined : sidKey(prefix, foreign(issuer, keyIds.sid)),
});

export const cutUserAgent = (userAgent: string | null) => userAgent?.slice(0, USER_AGENT_MAX) ?? null;

type Named = { jti: string | null; sid: string | null; iat: number | null; exp: number };

/** An entry's text. What is null in it and not known to be, the scripts fill in. */
export function entryOf(
  context: WriteContext,
  iss: string,
  token?: Named,
  more: { cutoff?: null; reason?: Reason } = {},
): string {
  const { sub, by, requester, nowMs, note } = context;
  const entry: Entry = {
    jti: token?.jti ?? null,
    sub: sub === "" ? null : sub,
    sid: token?.sid ?? null,
    iss,
    iat: token?.iat ?? null,
    exp: token?.exp ?? null,
    revoked_at: new Date(nowMs).toISOString(),
    reason: null,
    by,
    ip: requester.ip,
    user_agent: cutUserAgent(requester.userAgent),
    ...more,
    ...(note !== undefined && { note }),
  };
  return JSON.stringify(entry);
}

/**
 * How long an entry for a token with this `exp` must live: once the tolerance for the verifier's leeway, once for
 * clocks that differ between instances. By our clock; the scripts lengthen it where Redis's is behind.
 */
export const ttlMs = (exp: number, clockToleranceSeconds: number, nowMs: number) =>
  Math.ceil((exp + 2 * clockToleranceSeconds) * 1000 - nowMs);
