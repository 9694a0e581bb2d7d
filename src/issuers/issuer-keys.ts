import { createPublicKey, verify as verifySignature, type JsonWebKey, type KeyObject } from "node:crypto";
import { verify as verifyToken } from "jsonwebtoken";
import { isCanonicalBase64url } from "../tokens/base64url";
import { isStrongRsa } from "../keys/strong-rsa";

export const SYMMETRIC = ["HS256", "HS384", "HS512"] as const;
const RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const;
export const ASYMMETRIC = [...RSA, "ES256", "ES384", "ES512", "EdDSA"] as const;

export type IssuerAlgorithm = (typeof SYMMETRIC)[number] | (typeof ASYMMETRIC)[number];

/** RFC 9864 gave EdDSA with Ed25519, which is the only curve accepted here, a name of its own. */
export const ED25519 = "Ed25519";

/** The one spelling of an algorithm's name, whatever else a token, a key or an entry wrote. */
export const algorithmNamed = (alg: unknown) => (alg === ED25519 ? "EdDSA" : alg);

/** A key of a trusted issuer. One key, one algorithm (RFC 8725 §3.1); a public key or a secret, never a private key. */
export type IssuerKey = { readonly algorithm: IssuerAlgorithm; readonly verifyWith: KeyObject };

export const PUBLIC_KEY_HINT = "RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519";

const CURVES: Partial<Record<string, IssuerAlgorithm>> = {
  prime256v1: "ES256",
  secp384r1: "ES384",
  secp521r1: "ES512",
};

/** Reads a public key, or a certificate's public key, from PEM. A certificate's dates aren't checked. */
export function readPublicKey(pem: string, allowed: readonly IssuerAlgorithm[]): IssuerKey {
  // createPublicKey would take its public half, but an issuer's private key should never be here.
  if (pem.includes("PRIVATE KEY")) throw new TypeError("it holds a private key");
  let verifyWith: KeyObject;
  try {
    verifyWith = createPublicKey(pem);
  } catch (cause) {
    throw new TypeError("it holds no public key in PEM", { cause });
  }
  return { algorithm: algorithmFor(verifyWith, allowed), verifyWith };
}

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const PUBLIC_MEMBERS = new Map<unknown, string[]>([
  ["RSA", ["n", "e"]],
  ["EC", ["x", "y"]],
  ["OKP", ["x"]],
]);

/** Reads a public key from a JWK, or throws a TypeError that says why it can't be used. */
export function readJwk(jwk: Record<string, unknown>, allowed: readonly IssuerAlgorithm[]): IssuerKey {
  const { kty, crv, use, key_ops, alg } = jwk;
  const members = PUBLIC_MEMBERS.get(kty);
  if (!members) throw new TypeError("it is neither RSA nor EC nor OKP");
  if (PRIVATE_MEMBERS.some((name) => name in jwk)) throw new TypeError("it is a private key");
  if (use !== undefined && use !== "sig") throw new TypeError("its use is not sig");
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes("verify"))) {
    throw new TypeError("its key_ops don't include verify");
  }
  const numbers = members.map((name) => [name, jwk[name]] as const);
  if (!numbers.every(([, value]) => typeof value === "string" && isCanonicalBase64url(value))) {
    throw new TypeError(`its ${members.join(" or ")} is not base64url`);
  }
  const verifyWith = importJwk({ kty, crv, ...Object.fromEntries(numbers) } as JsonWebKey);
  return { algorithm: algorithmFor(verifyWith, allowed, alg), verifyWith };
}

function importJwk(key: JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch (cause) {
    throw new TypeError("its numbers don't form a key", { cause });
  }
}

/** Whether the token was signed with this key. Everything else that jsonwebtoken could check is checked elsewhere. */
export function isSignedBy({ algorithm, verifyWith }: IssuerKey, token: string): boolean {
  try {
    if (algorithm === "EdDSA") return isSignedByEd25519(verifyWith, token);
    verifyToken(token, verifyWith, {
      algorithms: [algorithm],
      ignoreExpiration: true,
      ignoreNotBefore: true,
    });
    return true;
  } catch {
    return false;
  }
}

/** RFC 8037 §3.1, which jsonwebtoken doesn't know. */
function isSignedByEd25519(key: KeyObject, token: string): boolean {
  const end = token.lastIndexOf(".");
  const signature = Buffer.from(token.slice(end + 1), "base64url");
  return verifySignature(null, Buffer.from(token.slice(0, end)), key, signature);
}

/** The algorithm that a key names, else the only one of its issuer's that fits it; never one that a token names. */
function algorithmFor(key: KeyObject, allowed: readonly IssuerAlgorithm[], named?: unknown): IssuerAlgorithm {
  const fitting = algorithmsOf(key);
  const [algorithm, ...others] = fitting.filter(
    (each) => allowed.includes(each) && (named === undefined || each === algorithmNamed(named)),
  );
  if (algorithm === undefined) throw new TypeError("it is for none of its issuer's algorithms");
  if (others.length > 0) {
    throw new TypeError(`it could be for ${[algorithm, ...others].join(" or ")}, and doesn't say which`);
  }
  return algorithm;
}

function algorithmsOf(key: KeyObject): readonly IssuerAlgorithm[] {
  const { namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  const curve = CURVES[namedCurve];
  if (key.asymmetricKeyType === "ec" && curve) return [curve];
  if (key.asymmetricKeyType === "ed25519") return ["EdDSA"];
  if (key.asymmetricKeyType === "rsa" && isStrongRsa(key)) return RSA;
  throw new TypeError(`it is not ${PUBLIC_KEY_HINT}, or is a weak one`);
}
