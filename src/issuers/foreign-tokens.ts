import { assertThat, isFor, isString, MAX_TOKEN_BYTES } from "../tokens/access-tokens";
import { isCanonicalBase64url } from "../tokens/base64url";
import { rememberVerified } from "../tokens/verified";
import { isOfType, readIds, readTimes } from "./foreign-claims";
import { decodeForeignJson, glanceAtJson } from "./foreign-json";
import { isSignedBy, type IssuerAlgorithm, type IssuerKey } from "./issuer-keys";
import { createJwks, type IssuerKeys, type JwksOptions } from "./jwks";
import type { IssuerKeySource } from "./key-source";

/** An issuer whose tokens are accepted, and what those must look like. */
export type TrustedIssuer = {
  readonly name: string;
  /** The exact `iss` of its tokens. */
  readonly issuer: string;
  readonly keys: IssuerKeySource;
  /** Null: tokens for any audience are accepted. */
  readonly audience: string | null;
  readonly algorithms: readonly IssuerAlgorithm[];
  /** Undefined: any, except the types of own tokens and of logout tokens. */
  readonly typ: string | undefined;
  /** How far its clock may be ahead of ours, for `iat` and for what a cut-off covers. */
  readonly clockLeadSeconds: number;
  readonly maxLifetimeSeconds: number;
  /** Whether tokens that were issued before the denylist's epoch are refused. */
  readonly sinceEpoch: boolean;
};

/**
 * A trusted issuer's token, verified. Its ids are as the issuer wrote them; a missing `jti` is a hash of the signed
 * part.
 */
export type ForeignToken = {
  kind: "foreign";
  /** The issuer's name in Curfew's settings. */
  issuer: string;
  iss: string;
  sub: string;
  jti: string;
  sid: string | undefined;
  /** The ids as they appear in Redis keys, after the issuer's name. */
  keyIds: { sub: string; jti: string; sid: string | undefined };
  iat: number;
  exp: number;
  sinceEpoch: boolean;
  clockLeadSeconds: number;
  maxLifetimeSeconds: number;
  claims: Record<string, unknown>;
};

/** A token that claims to be from a trusted issuer. */
export type Claimed = {
  issuer: TrustedIssuer;
  /**
   * Throws `token_invalid` unless the token is genuine, `token_expired` if it has expired and that isn't allowed, and
   * `denylist_unavailable` while the issuer's keys can't be fetched, because then the token can't be judged.
   */
  verify(options?: { allowExpired: boolean }): Promise<ForeignToken>;
};

export type ForeignTokens = {
  /** Returns the trusted issuer that the token names, if any. Nothing is verified yet. */
  claimsToBeFrom(token: string): Claimed | undefined;
};

export type ForeignTokenOptions = JwksOptions & { clockToleranceSeconds: number };

/**
 * Header members that change how a token is read, or with which key. A trusted issuer's token must have none of them.
 */
const REFUSED_HEADERS = ["crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"];

export function createForeignTokens(
  issuers: readonly TrustedIssuer[],
  options: ForeignTokenOptions,
): ForeignTokens & { close(): void } {
  const { clockToleranceSeconds } = options;
  const findIssuer = createIssuerFinder(issuers);
  const keysOf = new Map(issuers.map((each) => [each, openKeys(each, options)]));
  const verified = rememberVerified<Known>();

  /** Everything that is checked before the signature throws the same error. */
  async function assertGenuine(issuer: TrustedIssuer, token: string, header: Json, signature: string) {
    const { alg, kid } = header;
    assertThat(!REFUSED_HEADERS.some((name) => name in header) && isCanonicalBase64url(signature));
    assertThat(issuer.algorithms.some((each) => each === alg) && (kid === undefined || isString(kid)));
    const key = await keysOf.get(issuer)?.find(kid);
    assertThat(key !== undefined && alg === key.algorithm && isSignedBy(key, token));
    return { key, kid };
  }

  async function verifyBy(
    issuer: TrustedIssuer,
    token: string,
    [headerPart, payload, signature]: Parts,
    { allowExpired } = { allowExpired: false },
  ): Promise<ForeignToken> {
    const bounds = { clockLeadSeconds: issuer.clockLeadSeconds, clockToleranceSeconds, allowExpired };
    const known = verified.get(token);
    // The issuer may have withdrawn the key since.
    if (known && (await keysOf.get(issuer)?.find(known.kid)) === known.key) {
      readTimes(known.token.claims, bounds);
      return copyOf(known.token);
    }
    const signedBy = await assertGenuine(
      ...([issuer, token, glanceAtJson(Buffer.from(headerPart, "base64url")), signature] as const),
    );
    // Strict reading comes after the signature, because it costs far more, and anybody can send a token.
    const [header, claims] = [decodeForeignJson(headerPart), decodeForeignJson(payload)];
    assertThat(header !== undefined && claims !== undefined, "claims");
    assertThat(claims["iss"] === issuer.issuer, "iss");
    assertThat(isOfType(issuer.typ, header["typ"]), "typ");
    assertThat(issuer.audience === null || isFor(issuer.audience, claims["aud"]), "aud");
    const times = readTimes(claims, bounds);
    // A logout must work with a token that was issued before max_lifetime was lowered.
    assertThat(allowExpired || times.exp - times.iat <= issuer.maxLifetimeSeconds, "max_lifetime");
    const read: ForeignToken = {
      ...{ kind: "foreign", ...describe(issuer), ...readIds(token, claims), ...times },
      claims: freeze(claims),
    };
    if (!allowExpired) verified.set(token, { ...signedBy, issuer, token: read });
    return copyOf(read);
  }

  return {
    claimsToBeFrom(token) {
      if (issuers.length === 0) return undefined;
      const parts = split(token);
      const issuer = parts && (verified.get(token)?.issuer ?? findIssuer(Buffer.from(parts[1], "base64url")));
      return issuer && { issuer, verify: (how) => verifyBy(issuer, token, parts, how) };
    },

    close() {
      for (const keys of keysOf.values()) keys.close();
    },
  };
}

/** Finds the trusted issuer that the claims name, without looking at header or signature. Nothing is verified. */
function createIssuerFinder(issuers: readonly TrustedIssuer[]) {
  const byIss = new Map<unknown, TrustedIssuer>(issuers.map((each) => [each.issuer, each]));
  // Claims that name an issuer contain it literally, or contain an escape. Most tokens, own ones and rubbish, cost no
  // more than this search.
  const marks = issuers.length === 0 ? [] : ["\\", ...issuers.map(({ issuer }) => `"${issuer}"`)];
  return (claims: Buffer) =>
    marks.some((mark) => claims.includes(mark)) ? byIss.get(glanceAtJson(claims)["iss"]) : undefined;
}

/** A single configured key is always the one, whatever `kid` the token has. */
function openKeys({ name, keys, algorithms }: TrustedIssuer, options: JwksOptions): IssuerKeys {
  if ("jwksUri" in keys) return createJwks({ name, uri: keys.jwksUri, algorithms }, options);
  return { find: () => Promise.resolve(keys), close: () => undefined };
}

/** A token that was verified, and with which key. */
type Known = { issuer: TrustedIssuer; kid: string | undefined; key: IssuerKey; token: ForeignToken };

/** Whoever gets the token may change it, but for what is nested in its claims. */
const copyOf = (token: ForeignToken): ForeignToken => ({
  ...token,
  keyIds: { ...token.keyIds },
  claims: { ...token.claims },
});

/** All that is nested in it, too. */
function freeze<T extends object>(value: T): T {
  for (const each of Object.values(value))
    if (typeof each === "object" && each !== null) freeze(each as object);
  return Object.freeze(value);
}

type Json = Record<string, unknown>;
type Parts = [header: string, payload: string, signature: string];

function split(token: string): Parts | undefined {
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) return undefined;
  const [header, payload, signature, ...rest] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined) return undefined;
  return rest.length === 0 ? [header, payload, signature] : undefined;
}

const describe = ({ name, issuer, sinceEpoch, clockLeadSeconds, maxLifetimeSeconds }: TrustedIssuer) => ({
  issuer: name,
  iss: issuer,
  sinceEpoch,
  clockLeadSeconds,
  maxLifetimeSeconds,
});
