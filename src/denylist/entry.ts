import type { ForeignToken } from "../issuers/foreign-tokens";
import type { AccessToken } from "../tokens/access-tokens";

/** The denylist's keys and values. This is a public format: operators and other languages read and write it too. */

export const REASONS = [
  "logout",
  "logout_all_devices",
  "session_ended",
  "password_changed",
  "refresh_reused",
  "revoked_by_ops",
  "revoked_by_client",
  "logout_at_issuer",
] as const;

export type Reason = (typeof REASONS)[number];

/** Who made a request, and from where. */
export type Requester = { ip: string | null; userAgent: string | null };

/** For acts that no request is behind. */
export const NOBODY: Requester = { ip: null, userAgent: null };

/** Who does something to whose tokens, and when; `note` in their own words. `sub` is empty if it isn't known. */
export type WriteContext = { sub: string; by: string; requester: Requester; nowMs: number; note?: string };

/** Why, on whose behalf, in whose own words, and where the request for it came from, if there was one. */
export type Grounds = { reason: Reason; by: string; note?: string; requester?: Requester };

export const contextOf = (
  sub: string,
  { by, note, requester = NOBODY }: Omit<Grounds, "reason">,
): WriteContext => ({ sub, by, requester, nowMs: Date.now(), ...(note !== undefined && { note }) });

/** By whom and why a credential is ended: by its owner, or by a client that it was shown to. */
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
  /** For a subject only: its tokens issued up to this Unix second are denied. */
  cutoff?: number | null;
  /** In the words of whoever revoked it. */
  note?: string;
};

const USER_AGENT_MAX = 128;

/** Written to see whether Redis accepts writes, and before WAIT, which waits for the connection's last write. */
export const probeKey = (prefix: string) => `${prefix}probe`;

export const jtiKey = (prefix: string, jti: string) => `${prefix}denylist:jti:${jti}`;
export const sidKey = (prefix: string, sid: string) => `${prefix}denylist:sid:${sid}`;
/** Denies every token of a foreign subject that was issued up to the entry's cutoff. */
export const subKey = (prefix: string, sub: string) => `${prefix}denylist:sub:${sub}`;

/** What an entry denies: one token, a session, or all that a foreign subject had so far; and how its key says so. */
export const KINDS = { token: "jti", session: "sid", user: "sub" } as const;

export type Kind = keyof typeof KINDS;

export const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text);

/** Where a key stands: in which shard, and what it denies. */
export type Place = { prefix: string; kind: Kind; id: string; key: string };

/** Undefined for a key that is no entry's, such as the epoch's. */
export function placeOf(prefixes: readonly string[], key: string): Place | undefined {
  const prefix = prefixes.find((each) => key.startsWith(`${each}denylist:`));
  if (prefix === undefined) return undefined;
  const [, name, id] = /^(jti|sid|sub):(.+)$/s.exec(key.slice(`${prefix}denylist:`.length)) ?? [];
  const kind = (Object.keys(KINDS) as Kind[]).find((each) => KINDS[each] === name);
  return kind && id !== undefined ? { prefix, kind, id, key } : undefined;
}

/** Where the uses that an entry refused are counted, for as long as the entry lives. */
export const usesKeyOf = (prefix: string, entryKey: string) =>
  `${prefix}uses:${entryKey.slice(`${prefix}denylist:`.length)}`;

/**
 * A foreign id (of a token, a session or a subject) with its issuer's name, so that equal ids of two issuers differ.
 */
export const foreign = (issuer: string, id: string) => `${issuer}:${id}`;

/** Whose token it is: a user's id, or `<issuer name>:<sub>`. */
export const subjectOf = (token: AccessToken | ForeignToken) =>
  token.kind === "foreign" ? foreign(token.issuer, token.sub) : token.sub;

/** The entries that can deny a foreign token: its own, its subject's, its session's. */
export const foreignKeys = (prefix: string, { issuer, keyIds }: Pick<ForeignToken, "issuer" | "keyIds">) => ({
  jti: jtiKey(prefix, foreign(issuer, keyIds.jti)),
  sub: subKey(prefix, foreign(issuer, keyIds.sub)),
  sid: keyIds.sid === undefined ? undefined : sidKey(prefix, foreign(issuer, keyIds.sid)),
});

export const cutUserAgent = (userAgent: string | null) => userAgent?.slice(0, USER_AGENT_MAX) ?? null;

type Named = { jti: string | null; sid: string | null; iat: number | null; exp: number };

/** An entry's text. The scripts fill in members that are null because only they know them. */
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
 * How long the entry of a token with this `exp` must live: the tolerance counts twice, once for the verifier's leeway
 * and once for clocks that differ between instances. By our clock; the scripts lengthen it if Redis's clock is behind.
 */
export const ttlMs = (exp: number, clockToleranceSeconds: number, nowMs: number) =>
  Math.ceil((exp + 2 * clockToleranceSeconds) * 1000 - nowMs);
