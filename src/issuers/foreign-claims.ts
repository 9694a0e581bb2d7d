import { CurfewError } from "../errors";
import { ACCESS_TOKEN_TYPE, assertThat, isExpired, isFiniteNumber, isString } from "../tokens/access-tokens";
import { keyIdOf, tokenIdOf } from "./foreign-ids";

type Claims = Record<string, unknown>;

/** The latest time that a Date can hold. */
const MAX_TIME_SECONDS = 8_640_000_000_000;

/** The type of own tokens, and that of logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4). */
const NEVER_ACCESS = [ACCESS_TOKEN_TYPE, "logout+jwt"];

/** Whether a header's `typ` is the configured one or, if none is configured, absent or one that isn't refused. */
export function isOfType(wanted: string | undefined, typ: unknown): boolean {
  if (wanted !== undefined) return isString(typ) && mediaType(typ) === mediaType(wanted);
  return typ === undefined || (isString(typ) && !NEVER_ACCESS.includes(mediaType(typ)));
}

/** RFC 7515 §4.1.9: upper or lower case, and `application/` may be left out. */
const mediaType = (typ: string) => typ.toLowerCase().replace(/^application\//, "");

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

const isTime = (value: unknown): value is number =>
  isFiniteNumber(value) && Math.abs(value) <= MAX_TIME_SECONDS;

export function readIds(token: string, { sub, jti, sid }: Claims) {
  assertThat(isId(sub), "sub");
  assertThat(jti === undefined || isId(jti), "jti");
  assertThat(sid === undefined || isId(sid), "sid");
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

/** An id with half a surrogate pair is refused, because two such ids could have the same UTF-8. */
const isId = (value: unknown): value is string =>
  isString(value) && value !== "" && Buffer.from(value).toString() === value;
