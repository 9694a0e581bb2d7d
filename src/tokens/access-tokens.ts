import { randomUUID } from "node:crypto";
import { sign, verify as verifySignature } from "jsonwebtoken";
import { attempt, CurfewError } from "../errors";
import { decodeJson, isCanonicalBase64url } from "./base64url";
import { isPlainId } from "./ids";
import type { KeyRing } from "../keys/key-ring";
import type { SigningKey } from "../keys/keys";
import type { Settings } from "../settings/table";
import { rememberVerified } from "./verified";

/** The claims of an access token, verified. */
export type AccessToken = {
  kind: "own";
  iss: string;
  aud: string;
  sub: string;
  sid: string;
  jti: string;
  /** As it was configured when the token was minted (RFC 9068 §2.2). Tokens of earlier versions have none. */
  client_id?: string | undefined;
  iat: number;
  exp: number;
  roles: string[];
  epoch: string;
};

export type AccessTokens = {
  /** The times of a token minted now, in a session that ends at `endsAt`. Store them in the session before minting. */
  lifetime(endsAt: number): { iat: number; exp: number };
  mint(claims: Pick<AccessToken, "sub" | "sid" | "iat" | "exp" | "roles" | "epoch">): string;
  /**
   * Throws `token_invalid` unless the token is genuine, and `token_expired` if it has expired and that isn't allowed.
   */
  verify(token: string, options?: { allowExpired: boolean }): AccessToken;
  /** Whether it was verified lately, and is one of ours. */
  remembers(token: string): boolean;
  /** The claims of a token that is remembered, and valid at this time; undefined for any other. */
  recall(token: string): AccessToken | undefined;
};

export type AccessTokenOptions = Pick<
  Settings,
  "issuer" | "audience" | "clientId" | "accessTtlSeconds" | "clockToleranceSeconds"
> & { keys: KeyRing };

/** The type of own tokens. A foreign token may have it only if that is configured for its issuer. */
export const ACCESS_TOKEN_TYPE = "at+jwt";
const HEADER_NAMES = ["alg", "typ", "kid"];
export const MAX_TOKEN_BYTES = 8192;
const MAX_HEADER_LENGTH = 512;
/**
 * How far two instances' clocks may differ, whatever the configured tolerance: one mints a token, another checks it.
 */
export const CLOCK_ALLOWANCE_SECONDS = 30;

export function createAccessTokens(options: AccessTokenOptions): AccessTokens {
  const { keys, issuer, audience, clientId, accessTtlSeconds, clockToleranceSeconds } = options;
  const verified = rememberVerified<Read>();

  return {
    lifetime(endsAt) {
      const iat = Math.floor(Date.now() / 1000);
      return { iat, exp: Math.min(iat + accessTtlSeconds, endsAt) };
    },

    mint(claims) {
      const payload = { iss: issuer, aud: audience, client_id: clientId, jti: randomUUID(), ...claims };
      const { kid, algorithm, signWith } = keys.signing;
      return sign(payload, signWith, { algorithm, header: { alg: algorithm, typ: ACCESS_TOKEN_TYPE, kid } });
    },

    remembers: (token) => verified.has(token),

    recall: (token) => attempt(() => readRemembered(token, false)),

    verify(token, { allowExpired } = { allowExpired: false }) {
      const known = readRemembered(token, allowExpired);
      if (known) return known;
      const read = readGenuine(token, allowExpired);
      // One that is only taken for a logout may live longer than is allowed.
      if (!allowExpired) verified.set(token, read);
      return copyOf(read.claims);
    },
  };

  function readRemembered(token: string, allowExpired: boolean): AccessToken | undefined {
    const known = verified.get(token);
    if (known) assertInTime(known, allowExpired);
    return known && copyOf(known.claims);
  }

  // jsonwebtoken only verifies the signature here, because it accepts much that must be refused. Everything that is
  // checked before the signature throws the same error.
  function readGenuine(token: string, allowExpired: boolean): Read {
    const { header, payload } = readParts(token);
    assertGenuine(token, header, keys.find(header["kid"]));
    // Strict reading comes after the signature, because it costs far more, and anybody can send a token.
    const claims = decodeJson(payload);
    assertThat(claims !== undefined, "claims");
    assertThat(header["typ"] === ACCESS_TOKEN_TYPE, "typ");
    assertThat(claims["iss"] === issuer, "iss");
    assertThat(isFor(audience, claims["aud"]), "aud");
    const { exp, iat, nbf, sub, jti, sid, client_id, roles, epoch } = claims;
    assertThat(isFiniteNumber(exp), "exp");
    // Before anything else is said of the times: a client is told to refresh.
    if (!allowExpired && isExpired(exp, clockToleranceSeconds)) throw new CurfewError("token_expired");
    assertThat(isFiniteNumber(iat), "iat");
    assertThat(nbf === undefined || isFiniteNumber(nbf), "nbf");
    assertInTime({ claims: { iat, exp }, nbf }, allowExpired);
    // A logout must work with a token that was issued before ACCESS_TTL was lowered.
    assertThat(allowExpired || exp - iat <= accessTtlSeconds, "lifetime");
    assertThat(isString(sub) && sub !== "", "sub");
    assertThat(isPlainId(jti), "jti");
    assertThat(isPlainId(sid), "sid");
    assertThat(client_id === undefined || isString(client_id), "client_id");
    assertThat(Array.isArray(roles) && roles.every(isString), "roles");
    assertThat(isString(epoch), "epoch");
    return {
      claims: { kind: "own", iss: issuer, aud: audience, sub, sid, jti, client_id, iat, exp, roles, epoch },
      nbf,
    };
  }

  function assertInTime({ claims: { iat, exp }, nbf }: Times, allowExpired: boolean): void {
    if (!allowExpired && isExpired(exp, clockToleranceSeconds)) throw new CurfewError("token_expired");
    const now = Date.now() / 1000;
    assertThat(iat <= now + CLOCK_ALLOWANCE_SECONDS, "iat");
    assertThat(nbf === undefined || nbf <= now + clockToleranceSeconds, "nbf");
  }
}

type Times = { claims: Pick<AccessToken, "iat" | "exp">; nbf: number | undefined };
type Read = Times & { claims: AccessToken };

/** Whoever gets the claims may change them. */
const copyOf = (claims: AccessToken): AccessToken => ({ ...claims, roles: [...claims.roles] });

function readParts(token: string) {
  assertThat(Buffer.byteLength(token) <= MAX_TOKEN_BYTES);
  const [first = "", payload = "", signature = "", ...rest] = token.split(".");
  assertThat(rest.length === 0 && first.length <= MAX_HEADER_LENGTH && isCanonicalBase64url(signature));
  const header = decodeJson(first);
  assertThat(header !== undefined);
  return { header, payload };
}

/**
 * The key decides the algorithm, never the token. A header with other members (`crit`, `jwk` …) isn't an own token's.
 */
function assertGenuine(token: string, header: Record<string, unknown>, key: SigningKey | undefined): void {
  assertThat(Object.keys(header).every((name) => HEADER_NAMES.includes(name)));
  assertThat(key !== undefined && header["alg"] === key.algorithm);
  try {
    verifySignature(token, key.verifyWith, {
      algorithms: [key.algorithm],
      ignoreExpiration: true,
      ignoreNotBefore: true,
    });
  } catch (cause) {
    throw new CurfewError("token_invalid", { cause });
  }
}

/** `rule` names what is wrong with a token whose signature is good. */
export function assertThat(holds: boolean, rule?: string): asserts holds {
  if (!holds) throw new CurfewError("token_invalid", rule === undefined ? {} : { rule });
}

export const isExpired = (exp: number, clockToleranceSeconds: number) =>
  Date.now() / 1000 >= exp + clockToleranceSeconds;

export const isFor = (audience: string, claim: unknown) =>
  claim === audience || (Array.isArray(claim) && claim.includes(audience));

export const isString = (value: unknown) => typeof value === "string";
export const isFiniteNumber = (value: unknown): value is number => Number.isFinite(value);
