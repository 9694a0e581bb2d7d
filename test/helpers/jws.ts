import { constants, createHmac, sign, type KeyObject } from "node:crypto";

type Json = Record<string, unknown>;

/** Makes the third part of a token from the first two. */
export type Signer = (signingInput: string) => string;

/** A secret signs as HS256. */
type SignWith = string | Buffer | Signer;

/** Text and bytes are taken as they stand, anything else as JSON. */
export const encode = (value: unknown) =>
  Buffer.from(typeof value === "string" || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString(
    "base64url",
  );

export const decodePart = (token: string, part: 0 | 1) =>
  JSON.parse(Buffer.from(token.split(".")[part] ?? "", "base64url").toString()) as Json;

export const hmacSigner =
  (secret: string | Buffer, hash = "sha256"): Signer =>
  (signingInput) =>
    createHmac(hash, secret).update(signingInput).digest("base64url");

/** RS256 or ES256, by the kind of key; their other sizes with another hash, PS256 with another padding. */
export const keySigner =
  (key: KeyObject, { hash = "sha256", pss = false } = {}): Signer =>
  (signingInput) =>
    sign(hash, Buffer.from(signingInput), {
      key,
      dsaEncoding: "ieee-p1363",
      ...(pss && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
    }).toString("base64url");

/** A token made by hand: header and claims may be anything, the signature is right. */
export function forge(header: unknown, claims: unknown, signWith: SignWith): string {
  const signer = typeof signWith === "function" ? signWith : hmacSigner(signWith);
  const signingInput = `${encode(header)}.${encode(claims)}`;
  return `${signingInput}.${signer(signingInput)}`;
}

/** A genuine token with one thing changed, and signed again. */
export const vary = (
  token: string,
  signWith: SignWith,
  { header = {}, claims = {} }: { header?: Json; claims?: Json },
) => forge({ ...decodePart(token, 0), ...header }, { ...decodePart(token, 1), ...claims }, signWith);

export const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The other valid form of an ES256 signature, which anybody can make of the first: (r, n − s). */
export function malleate(token: string): string {
  const [header, claims, signature = ""] = token.split(".");
  const [r, s] = numbersOf(signature);
  return `${header}.${claims}.${es256Signature(r, P256_ORDER - s)}`;
}

export const es256Signature = (r: bigint, s: bigint) =>
  Buffer.from([r, s].map((number) => number.toString(16).padStart(64, "0")).join(""), "hex").toString(
    "base64url",
  );

function numbersOf(signature: string): [r: bigint, s: bigint] {
  const hex = Buffer.from(signature, "base64url").toString("hex");
  return [BigInt(`0x${hex.slice(0, 64)}`), BigInt(`0x${hex.slice(64)}`)];
}
