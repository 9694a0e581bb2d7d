import { assertThat, isString, MAX_TOKEN_BYTES } from "../tokens/access-tokens";
import { isCanonicalBase64url } from "../tokens/base64url";
import { decodeForeignJson, glanceAtJson } from "./foreign-json";
import { algorithmNamed, isSignedBy, type IssuerKey } from "./issuer-keys";
import { createJwks, type IssuerKeys, type JwksOptions } from "./jwks";
import type { TrustedIssuer } from "./trusted-issuer";

type Json = Record<string, unknown>;

/** A token's parts, split but not read. */
export type Parts = [header: string, payload: string, signature: string];

/** With which key a token was signed. */
export type SignedBy = { kid: string | undefined; key: IssuerKey };

/** What is wrong although the service runs. */
export type IssuerWarning = { code: string; message: string };

/** Whose tokens are whose, and whether they are genuine: the same for access tokens and for logout tokens. */
export type Signatures = {
  /** Finds the issuer that a token's claims name, without looking at its header or signature. */
  findIssuer(parts: Parts): TrustedIssuer | undefined;
  /**
   * Throws `token_invalid`, always the same, unless the issuer signed it, and `issuer_unavailable` while its keys can't
   * be had. Only then is the token read strictly, which costs far more: anybody can send one.
   */
  readGenuine(
    issuer: TrustedIssuer,
    token: string,
    parts: Parts,
  ): Promise<{ header: Json; claims: Json } & SignedBy>;
  /** Whether the key is still the issuer's: it may have withdrawn it since. */
  isStillGood(issuer: TrustedIssuer, signedBy: SignedBy): Promise<boolean>;
  /** The issuers whose keys couldn't be fetched lately. */
  warnings: () => IssuerWarning[];
  close: () => void;
};

/**
 * Header members that change how a token is read, or with which key. A trusted issuer's token must have none of them.
 */
const REFUSED_HEADERS = ["crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"];

export function createSignatures(issuers: readonly TrustedIssuer[], options: JwksOptions): Signatures {
  const find = createIssuerFinder(issuers);
  const keysOf = new Map(issuers.map((each) => [each, openKeys(each, options)]));

  /** Everything that is checked before the signature throws the same error. */
  async function assertGenuine(issuer: TrustedIssuer, token: string, header: Json, signature: string) {
    const { alg, kid } = header;
    assertThat(!REFUSED_HEADERS.some((name) => name in header) && isCanonicalBase64url(signature));
    const named = algorithmNamed(alg);
    assertThat(issuer.algorithms.some((each) => each === named) && (kid === undefined || isString(kid)));
    const key = await keysOf.get(issuer)?.find(kid);
    assertThat(key !== undefined && named === key.algorithm && isSignedBy(key, token));
    return { key, kid };
  }

  return {
    findIssuer: ([, payload]) => find(Buffer.from(payload, "base64url")),

    async readGenuine(issuer, token, [headerPart, payload, signature]) {
      const glance = glanceAtJson(Buffer.from(headerPart, "base64url"));
      const signedBy = await assertGenuine(issuer, token, glance, signature);
      const [header, claims] = [decodeForeignJson(headerPart), decodeForeignJson(payload)];
      assertThat(header !== undefined && claims !== undefined, "claims");
      assertThat(claims["iss"] === issuer.issuer, "iss");
      return { header, claims, ...signedBy };
    },

    isStillGood: async (issuer, { kid, key }) => (await keysOf.get(issuer)?.find(kid)) === key,

    warnings: () => [...keysOf.values()].flatMap((keys) => keys.warning() ?? []),

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
  return { find: () => Promise.resolve(keys), warning: () => undefined, close: () => undefined };
}

/** Returns undefined for what is too long, or doesn't have three parts. */
export function split(token: string): Parts | undefined {
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) return undefined;
  const [header, payload, signature, ...rest] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined) return undefined;
  return rest.length === 0 ? [header, payload, signature] : undefined;
}
