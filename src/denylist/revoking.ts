import { REASONS, subjectOf, type Grounds, type Reason } from "./entry";
import type { Revocation } from "./revocation";
import type { NamedToken } from "./revoker";
import type { AccessToken } from "../tokens/access-tokens";
import type { ForeignToken } from "../issuers/foreign-tokens";
import { isPlainId } from "../tokens/ids";

/** Why, in one of these words; and a note in your own. */
export type Why = { reason?: AppReason | undefined; note?: string | undefined };

/** Not for an app to say: that a refresh token was used twice, or that somebody else revoked it. */
const NOT_THE_APPS = ["refresh_reused", "revoked_by_ops", "logout_at_issuer"] as const;

export type AppReason = Exclude<Reason, (typeof NOT_THE_APPS)[number]>;

/** One of Curfew's own tokens. In a cluster, `sub` (its subject) saves writing the entry to every shard. */
export type TokenToRevoke = Why & { jti: string; exp: number; sub?: string | undefined };

/** A foreign subject: the issuer's name, and the `sub` of its tokens. */
export type ForeignSubject = { issuer: string; sub: string };

export type UserToRevoke = string | ForeignSubject;

export const NOTE_MAX = 256;
/** An `exp` in milliseconds would be later than this. */
const LATEST_EXP = 100_000_000_000;

const TOKEN_HINT =
  'curfew.revoke({ jti, exp }), exp in Unix seconds; optionally sub, reason and note: "a few words"';
const USER_HINT =
  "curfew.revokeUser(id) or curfew.revokeUser({ issuer, sub }), where issuer is a name from your issuers";

/** Throws a TypeError for anything ambiguous: what isn't understood must not look as if it had been revoked. */
export function readToken(token: TokenToRevoke): { token: NamedToken; grounds: Grounds } {
  const { jti, exp, sub, reason, note } = assertOnly(
    token,
    ["jti", "exp", "sub", "reason", "note"],
    TOKEN_HINT,
  );
  const isTimed = typeof exp === "number" && exp > 0 && exp < LATEST_EXP;
  if (!isPlainId(jti) || !isTimed || (sub !== undefined && !isText(sub)))
    throw new TypeError(`Write ${TOKEN_HINT}.`);
  return {
    token: { jti, exp, ...(sub !== undefined && { sub }) },
    grounds: readWhy({ reason, note } as Why),
  };
}

/**
 * `issuers` are the known names. A user's id that looks like a foreign subject is refused, because it would end
 * nothing.
 */
export function readUser(user: UserToRevoke, issuers: readonly string[]): UserToRevoke {
  if (typeof user === "string") {
    if (user === "" || issuers.some((name) => user.startsWith(`${name}:`)))
      throw new TypeError(`Write ${USER_HINT}.`);
    return user;
  }
  assertOnly(user, ["issuer", "sub"], USER_HINT);
  if (!issuers.includes(user.issuer) || !isText(user.sub)) throw new TypeError(`Write ${USER_HINT}.`);
  return user;
}

export function readWhy(why: Why): Grounds {
  const { reason = "revoked_by_client", note } = assertOnly(why, ["reason", "note"], WHY_HINT);
  const known = APP_REASONS.find((each) => each === reason);
  const isNote = note === undefined || (isText(note) && note.length <= NOTE_MAX);
  if (!known || !isNote) throw new TypeError(`Write ${WHY_HINT}.`);
  return { reason: known, by: "app", ...(note !== undefined && { note }) };
}

const APP_REASONS = REASONS.filter((reason) => !NOT_THE_APPS.some((each) => each === reason)) as AppReason[];
const WHY_HINT = `reason: ${APP_REASONS.join(" or ")}; note: ${NOTE_MAX} characters at most`;

/** Whether a revocation ends these claims, so that a WebSocket or stream opened with them must be closed. */
export function isEndedBy(claims: AccessToken | ForeignToken, revocation: Revocation): boolean {
  if (revocation.kind === "everything") return true;
  const isForeign = claims.kind === "foreign";
  const sub = subjectOf(claims);
  if (revocation.sub !== null && revocation.sub !== sub) return false;
  switch (revocation.kind) {
    case "user":
      return true;
    case "session":
      // Only foreign sessions are revoked by their id alone.
      return revocation.sid === claims.sid && (revocation.sub !== null || isForeign);
    case "token":
      // Only own tokens are revoked by their id alone.
      return revocation.jti === claims.jti && !(revocation.sub === null && isForeign);
  }
}

function assertOnly<Name extends string>(
  given: unknown,
  names: readonly Name[],
  write: string,
): Partial<Record<Name, unknown>> {
  const isRight =
    typeof given === "object" &&
    given !== null &&
    Object.keys(given).every((name) => names.some((each) => each === name));
  if (!isRight) throw new TypeError(`Write ${write}.`);
  return given;
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
