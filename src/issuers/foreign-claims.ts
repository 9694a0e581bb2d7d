import { CurfewError } from "../errors";
import {
  ACCESS_TOKEN_TYPE,
  assertThat,
  isExpired,
  isFiniteNumber,
  isFor,
  isString,
} from "../tokens/access-tokens";
import { keyIdOf, tokenIdOf } from "./foreign-ids";

type Claims = Record<string, unknown>;

/** The latest time that a Date can hold. */
const MAX_TIME_SECONDS = 8_640_000_000_000;

/** The type of logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4). */
export const LOGOUT_TOKEN_TYPE = "logout+jwt";
const NEVER_ACCESS = [ACCESS_TOKEN_TYPE, LOGOUT_TOKEN_TYPE];

/** The `typ` of a header that is accepted; null is a header without one. */
export type WantedType = string | null;

/** Whether a header's `typ` is one of those configured or, if none is, absent or one that isn't refused. */
export function isOfType(wanted: readonly WantedType[] | undefined, typ: unknown): boolean {
  if (wanted !== undefined) {
    if (typ === undefined) return wanted.includes(null);
    return isString(typ) && wanted.some((each) => each !== null && mediaType(each) === mediaType(typ));
  }
  return typ === undefined || (isString(typ) && !NEVER_ACCESS.includes(mediaType(typ)));
}

/** RFC 7515 §4.1.9: upper or lower case, and `application/` may be left out. */
export const mediaType = (typ: string) => typ.toLowerCase().replace(/^application\//, "");

/** Null: for anybody. */
export const isForOneOf = (audiences: readonly string[] | null, aud: unknown) =>
  audiences === null || audiences.some((each) => isFor(each, aud));

/** A claim that an issuer's tokens must have, and its allowed values. */
export type Requirement = { readonly claim: string; readonly values: readonly (string | number | boolean)[] };

/** A claim that is a list must have one of the allowed values among its members. */
export function assertHasRequired(requirements: readonly Requirement[], claims: Claims): void {
  for (const { claim, values } of requirements) {
    const given = claims[claim];
    const members: unknown[] = Array.isArray(given) ? given : [given];
    assertThat(
      members.some((member) => values.some((value) => value === member)),
      `require.${claim}`,
    );
  }
}

export function readTimes(
  { exp, iat, nbf }: Claims,
  {
    clockLeadSeconds,
    clockToleranceSeconds,
    allowExpired,
  }: { clockLeadSeconds: number; clockToleranceSeconds: number; allowExpired: boolean },
) {
  const now = Date.now() / 1000;
  assertThat(isTime(exp), "exp");
  if (!allowExpired && isExpired(exp, clockToleranceSeconds)) throw new CurfewError("token_expired");
  assertThat(isTime(iat) && iat <= now + clockLeadSeconds, "iat");
  assertThat(nbf === undefined || (isTime(nbf) && nbf <= now + clockToleranceSeconds), "nbf");
  return { exp, iat };
}

export const isTime = (value: unknown): value is number =>
  isFiniteNumber(value) && Math.abs(value) <= MAX_TIME_SECONDS;

/** In which claims a token's subject, session and id stand. */
export type IdClaims = { readonly subject: string; readonly session: string; readonly tokenId: string };

export function readIds(token: string, claims: Claims, names: IdClaims) {
  const sub = readId(claims, names.subject);
  assertThat(sub !== undefined, names.subject);
  const jti = readId(claims, names.tokenId);
  const sid = readId(claims, names.session);
  const id = jti ?? tokenIdOf(token);
  return {
    ...{ sub, jti: id, sid },
    keyIds: {
      sub: keyIdOf(sub),
      // The id that stands in for a missing jti begins with sha256- already; keyIdOf would hash it again.
      jti: jti === undefined ? id : keyIdOf(id),
      sid: sid === undefined ? undefined : keyIdOf(sid),
    },
  };
}

/** Returns undefined if there is no such claim. */
export function readId(claims: Claims, name: string): string | undefined {
  const id = claims[name];
  assertThat(id === undefined || isId(id), name);
  return id;
}

/** An id with half a surrogate pair is refused, because two such ids could have the same UTF-8. */
const isId = (value: unknown): value is string =>
  isString(value) && value !== "" && Buffer.from(value).toString() === value;
