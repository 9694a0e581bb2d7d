import { CurfewError } from "../errors";
import {
  ACCESS_TOKEN_TYPE,
  assertThat,
  isFiniteNumber,
  isFor,
  isString,
  MAX_CLOCK_LEAD_SECONDS,
  MAX_TOKEN_BYTES,
} from "./access-tokens";
import { isCanonicalBase64url } from "./base64url";
import { keyIdOf, tokenIdOf } from "./foreign-ids";
import { decodeForeignJson } from "./foreign-json";
import { isSignedBy, type IssuerAlgorithm } from "./issuer-keys";
import { createJwks, type IssuerKeys, type JwksOptions } from "./jwks";
import type { IssuerKeySource } from "./key-source";

/** Somebody outside whose tokens are accepted, and what they must be. */
export type TrustedIssuer = {
  readonly name: string;
  /** What its tokens say as `iss`, exactly. */
  readonly issuer: string;
  readonly keys: IssuerKeySource;
  /** Null: a token for anybody will do. */
  readonly audience: string | null;
  readonly algorithms: readonly IssuerAlgorithm[];
  /** Undefined: any but the type of our own tokens. */
  readonly typ: string | undefined;
  readonly maxLifetimeSeconds: number;
  /** Whether its tokens from before the denylist's epoch are refused. */
  readonly sinceEpoch: boolean;
};

/** A trusted issuer's token, verified. `jti`, `sid` and `subId` are as they stand in keys; `sub` is what the issuer wrote. */
export type ForeignToken = {
  /** The issuer's name here. */
  issuer: string;
  iss: string;
  sub: string;
  subId: string;
  jti: string;
  sid: string | undefined;
  iat: number;
  exp: number;
  sinceEpoch: boolean;
  maxLifetimeSeconds: number;
  claims: Record<string, unknown>;
};

export type ForeignTokens = {
  /** Whose token it says it is, if that is a trusted issuer. Nothing is verified. */
  claimsToBeFrom(token: string): TrustedIssuer | undefined;
  /**
   * Throws `token_invalid` unless the token is genuine, `token_expired` if it is over, unless that is allowed, and
   * `denylist_unavailable` while the issuer's keys can't be had: then the token is neither good nor bad.
   */
  verify(token: string, options?: { allowExpired: boolean }): Promise<ForeignToken>;
};

export type ForeignTokenOptions = JwksOptions & { clockToleranceSeconds: number };

/** Members that say how a token is to be read, or with what. None has a business in a signed token of a trusted issuer. */
const REFUSED_HEADERS = ["crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"];
/** What a Date can hold. */
const MAX_TIME_SECONDS = 8_640_000_000_000;

export function createForeignTokens(
  issuers: readonly TrustedIssuer[],
  options: ForeignTokenOptions,
): ForeignTokens & { close(): void } {
  const byIss = new Map<unknown, TrustedIssuer>(issuers.map((each) => [each.issuer, each]));
  const keysOf = new Map(issuers.map((each) => [each, openKeys(each, options)]));

  return {
    claimsToBeFrom: (token) => (byIss.size === 0 ? undefined : byIss.get(readClaims(token)?.["iss"])),

    // The order is the contract's. What comes before the signature has one answer for every reason.
    async verify(token, { allowExpired } = { allowExpired: false }) {
      const claims = readClaims(token);
      const issuer = byIss.get(claims?.["iss"]);
      assertThat(claims !== undefined && issuer !== undefined);
      const header = readHeader(token);
      const { alg, kid, typ } = header;
      assertThat(issuer.algorithms.some((each) => each === alg) && (kid === undefined || isString(kid)));
      const key = await keysOf.get(issuer)?.find(kid);
      assertThat(key !== undefined && alg === key.algorithm && isSignedBy(key, token));
      assertThat(isOfType(issuer, typ) && isForUs(issuer, claims["aud"]));
      const times = readTimes(claims, options.clockToleranceSeconds, allowExpired);
      // Who logs out with a token from before max_lifetime was lowered must be able to.
      assertThat(allowExpired || times.exp - times.iat <= issuer.maxLifetimeSeconds);
      return { ...describe(issuer), ...readIds(token, claims), ...times, claims };
    },

    close() {
      for (const keys of keysOf.values()) keys.close();
    },
  };
}

/** A key that stands alone is the one, whatever its issuer calls it. */
function openKeys({ name, keys, algorithms }: TrustedIssuer, options: JwksOptions): IssuerKeys {
  if ("jwksUri" in keys) return createJwks({ name, uri: keys.jwksUri, algorithms }, options);
  return { find: () => Promise.resolve(keys), close: () => undefined };
}

function readClaims(token: string): Record<string, unknown> | undefined {
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) return undefined;
  const [, payload = "", signature = "", ...rest] = token.split(".");
  return rest.length === 0 && isCanonicalBase64url(signature) ? decodeForeignJson(payload) : undefined;
}

function readHeader(token: string): Record<string, unknown> {
  const header = decodeForeignJson(token.slice(0, token.indexOf(".")));
  assertThat(header !== undefined && !REFUSED_HEADERS.some((name) => name in header));
  return header;
}

function isOfType(issuer: TrustedIssuer, typ: unknown): boolean {
  if (issuer.typ !== undefined) return isString(typ) && mediaType(typ) === mediaType(issuer.typ);
  return typ === undefined || (isString(typ) && mediaType(typ) !== ACCESS_TOKEN_TYPE);
}

/** RFC 7515 §4.1.9: in any case, and `application/` may be left out. */
const mediaType = (typ: string) => typ.toLowerCase().replace(/^application\//, "");

const isForUs = ({ audience }: TrustedIssuer, aud: unknown) => audience === null || isFor(audience, aud);

function readTimes(
  { exp, iat, nbf }: Record<string, unknown>,
  clockToleranceSeconds: number,
  allowExpired: boolean,
) {
  const now = Date.now() / 1000;
  assertThat(isTime(exp));
  if (!allowExpired && now >= exp + clockToleranceSeconds) throw new CurfewError("token_expired");
  assertThat(isTime(iat) && iat <= now + MAX_CLOCK_LEAD_SECONDS);
  assertThat(nbf === undefined || (isTime(nbf) && nbf <= now + clockToleranceSeconds));
  return { exp, iat };
}

const isTime = (value: unknown): value is number =>
  isFiniteNumber(value) && Math.abs(value) <= MAX_TIME_SECONDS;

function readIds(token: string, { sub, jti, sid }: Record<string, unknown>) {
  assertThat(isId(sub) && (jti === undefined || isId(jti)) && (sid === undefined || isId(sid)));
  return {
    sub,
    subId: keyIdOf(sub),
    jti: jti === undefined ? tokenIdOf(token) : keyIdOf(jti),
    sid: sid === undefined ? undefined : keyIdOf(sid),
  };
}

/** With half a surrogate pair, two of them could have the same UTF-8. */
const isId = (value: unknown): value is string =>
  isString(value) && value !== "" && Buffer.from(value).toString() === value;

const describe = ({ name, issuer, sinceEpoch, maxLifetimeSeconds }: TrustedIssuer) => ({
  issuer: name,
  iss: issuer,
  sinceEpoch,
  maxLifetimeSeconds,
});
