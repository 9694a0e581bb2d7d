import { assertThat, isFor, isString, MAX_TOKEN_BYTES } from "../tokens/access-tokens";
import { isCanonicalBase64url } from "../tokens/base64url";
import { isOfType, readIds, readTimes } from "./foreign-claims";
import { decodeForeignJson, glanceAtJson } from "./foreign-json";
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
  /** How far its clock may be ahead of ours: of what it has issued, and of what a cut-off covers. */
  readonly clockLeadSeconds: number;
  readonly maxLifetimeSeconds: number;
  /** Whether its tokens from before the denylist's epoch are refused. */
  readonly sinceEpoch: boolean;
};

/** A trusted issuer's token, verified. Its ids are what the issuer wrote; `jti` is a hash of what is signed if there is none. */
export type ForeignToken = {
  kind: "foreign";
  /** The issuer's name here. */
  issuer: string;
  iss: string;
  sub: string;
  jti: string;
  sid: string | undefined;
  /** The same as they stand in keys, behind the issuer's name. */
  keyIds: { sub: string; jti: string; sid: string | undefined };
  iat: number;
  exp: number;
  sinceEpoch: boolean;
  clockLeadSeconds: number;
  maxLifetimeSeconds: number;
  claims: Record<string, unknown>;
};

/** A token that says it is from a trusted issuer. */
export type Claimed = {
  issuer: TrustedIssuer;
  /**
   * Throws `token_invalid` unless the token is genuine, `token_expired` if it is over, unless that is allowed, and
   * `denylist_unavailable` while the issuer's keys can't be had: then the token is neither good nor bad.
   */
  verify(options?: { allowExpired: boolean }): Promise<ForeignToken>;
};

export type ForeignTokens = {
  /** Whose token it says it is, if that is a trusted issuer. Nothing is verified. */
  claimsToBeFrom(token: string): Claimed | undefined;
};

export type ForeignTokenOptions = JwksOptions & { clockToleranceSeconds: number };

/** Members that say how a token is to be read, or with what. None has a business in a signed token of a trusted issuer. */
const REFUSED_HEADERS = ["crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"];

export function createForeignTokens(
  issuers: readonly TrustedIssuer[],
  options: ForeignTokenOptions,
): ForeignTokens & { close(): void } {
  const { clockToleranceSeconds } = options;
  const findIssuer = createIssuerFinder(issuers);
  const keysOf = new Map(issuers.map((each) => [each, openKeys(each, options)]));

  /** What comes before the signature has one answer for every reason. */
  async function assertGenuine(issuer: TrustedIssuer, token: string, header: Json, signature: string) {
    const { alg, kid } = header;
    assertThat(!REFUSED_HEADERS.some((name) => name in header) && isCanonicalBase64url(signature));
    assertThat(issuer.algorithms.some((each) => each === alg) && (kid === undefined || isString(kid)));
    const key = await keysOf.get(issuer)?.find(kid);
    assertThat(key !== undefined && alg === key.algorithm && isSignedBy(key, token));
  }

  async function verifyBy(
    issuer: TrustedIssuer,
    token: string,
    [headerPart, payload, signature]: Parts,
    { allowExpired } = { allowExpired: false },
  ): Promise<ForeignToken> {
    await assertGenuine(issuer, token, glanceAtJson(Buffer.from(headerPart, "base64url")), signature);
    // Only now: reading what anybody may send costs far more than finding out that it isn't genuine.
    const [header, claims] = [decodeForeignJson(headerPart), decodeForeignJson(payload)];
    assertThat(header !== undefined && claims !== undefined, "claims");
    assertThat(claims["iss"] === issuer.issuer, "iss");
    assertThat(isOfType(issuer.typ, header["typ"]), "typ");
    assertThat(issuer.audience === null || isFor(issuer.audience, claims["aud"]), "aud");
    const { clockLeadSeconds, maxLifetimeSeconds } = issuer;
    const times = readTimes(claims, { clockLeadSeconds, clockToleranceSeconds, allowExpired });
    // Who logs out with a token from before max_lifetime was lowered must be able to.
    assertThat(allowExpired || times.exp - times.iat <= maxLifetimeSeconds, "max_lifetime");
    return { kind: "foreign", ...describe(issuer), ...readIds(token, claims), ...times, claims };
  }

  return {
    claimsToBeFrom(token) {
      const parts = split(token);
      const issuer = parts && findIssuer(Buffer.from(parts[1], "base64url"));
      return issuer && { issuer, verify: (how) => verifyBy(issuer, token, parts, how) };
    },

    close() {
      for (const keys of keysOf.values()) keys.close();
    },
  };
}

/** Tells which trusted issuer the claims name, without looking at header or signature. Nothing is verified. */
function createIssuerFinder(issuers: readonly TrustedIssuer[]) {
  const byIss = new Map<unknown, TrustedIssuer>(issuers.map((each) => [each.issuer, each]));
  // Claims that name one hold it as it is, or an escape. To look for that is what most tokens cost: our own, and rubbish.
  const marks = issuers.length === 0 ? [] : ["\\", ...issuers.map(({ issuer }) => `"${issuer}"`)];
  return (claims: Buffer) =>
    marks.some((mark) => claims.includes(mark)) ? byIss.get(glanceAtJson(claims)["iss"]) : undefined;
}

/** A key that stands alone is the one, whatever its issuer calls it. */
function openKeys({ name, keys, algorithms }: TrustedIssuer, options: JwksOptions): IssuerKeys {
  if ("jwksUri" in keys) return createJwks({ name, uri: keys.jwksUri, algorithms }, options);
  return { find: () => Promise.resolve(keys), close: () => undefined };
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
