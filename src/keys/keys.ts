import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  createHash,
  hkdfSync,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";

export type Algorithm = "HS256" | "RS256" | "ES256";

/** One key, one algorithm (RFC 8725 §3.1), and always KeyObjects: jsonwebtoken guesses what kind of key a string is. */
export type SigningKey = {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly signWith: KeyObject;
  readonly verifyWith: KeyObject;
  /** Authenticates refresh tokens. Derived, so that neither key reveals anything about the other. */
  readonly refreshKey: KeyObject;
};

const MIN_SECRET_BYTES = 32;
const MIN_SECRET_BITS = 72;
/** Words from published examples, and the key of RFC 7515. */
const PLACEHOLDER =
  /secret|passw(?:or|d|0)|change.?me|example|your.?(?:key|jwt|own|256|512)|default|qwerty|AyM1SysPpbyDfgZld|insecure|replace.?(?:me|this)/i;

/** An issuer's public key, taken for a secret, would let everybody sign in its name. */
const PUBLIC_PEM = /-----BEGIN [\w ]*(?:PUBLIC KEY|CERTIFICATE)-----/;

export function readSecret(text: string): SigningKey {
  const weakness = weaknessOf(text);
  if (weakness) throw new TypeError(weakness);
  const bytes = Buffer.from(text, "utf8");
  const key = createSecretKey(bytes);
  return {
    kid: derive(bytes, "curfew key id", 9).toString("base64url"),
    algorithm: "HS256",
    signWith: key,
    verifyWith: key,
    refreshKey: refreshKeyFrom(bytes),
  };
}

export function readPrivateKey(pem: string): SigningKey {
  const { signWith, jwk } = readPem(pem);
  // RFC 7638: the members that make the key, in alphabetical order, without white space.
  const required =
    jwk.kty === "RSA"
      ? { e: jwk.e, kty: jwk.kty, n: jwk.n }
      : { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y };
  return {
    kid: createHash("sha256").update(JSON.stringify(required)).digest("base64url"),
    algorithm: algorithmOf(signWith),
    signWith,
    verifyWith: createPublicKey(signWith),
    // The private number alone: an encoding around it may differ between versions of OpenSSL.
    refreshKey: refreshKeyFrom(Buffer.from(jwk.d ?? "", "base64url")),
  };
}

/** Errors don't quote the file's name, because somebody may have put the key itself there. */
export function readPrivateKeyFile(file: string): SigningKey {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (cause) {
    throw new TypeError(`it can't be read (${String((cause as NodeJS.ErrnoException).code)})`, { cause });
  }
  return readPrivateKey(pem);
}

/** The public part of a key pair (RFC 7517); undefined for a secret, of which nothing is public. */
export function publicJwkOf({ kid, algorithm, verifyWith }: SigningKey): JsonWebKey | undefined {
  if (verifyWith.type !== "public") return undefined;
  return { ...verifyWith.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" };
}

export const pemOf = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();

function readPem(pem: string): { signWith: KeyObject; jwk: JsonWebKey } {
  try {
    const signWith = createPrivateKey(pem);
    return { signWith, jwk: signWith.export({ format: "jwk" }) };
  } catch (cause) {
    throw new TypeError("it holds no private key in PEM without a passphrase", { cause });
  }
}

function algorithmOf(key: KeyObject): Algorithm {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa" && modulusLength >= 2048) return "RS256";
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return "ES256";
  throw new TypeError("it holds a key that is neither RSA of 2048 bits or more nor P-256");
}

function weaknessOf(secret: string): string | undefined {
  const length = Buffer.byteLength(secret);
  if (length < MIN_SECRET_BYTES) return `it is ${length} bytes long, which is less than ${MIN_SECRET_BYTES}`;
  if (PUBLIC_PEM.test(secret)) return "it is a public key, which everybody may know";
  if (PLACEHOLDER.test(secret)) return "it contains a word from published examples";
  if (estimatedBits(secret) < MIN_SECRET_BITS)
    return "it can be guessed: it repeats itself or follows a pattern";
  return undefined;
}

/** The smallest of several estimates: by letter frequency, by compression and by patterns. */
function estimatedBits(secret: string): number {
  const codes = Array.from(secret, (letter) => letter.charCodeAt(0));
  const counts = new Map<number, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  const bitsPerLetter = [...counts.values()]
    .map((count) => count / codes.length)
    .reduce((bits, share) => bits - share * Math.log2(share), 0);
  const letters = Math.min(periodOf(codes), surprisesIn(codes, 1), surprisesIn(codes, 2));
  return Math.min(bitsPerLetter * letters, deflateRawSync(secret).length * 4.5);
}

/** After how many letters the text repeats: six for "hello-hello-he". Its length, if it doesn't repeat. */
function periodOf(codes: number[]): number {
  const repeatsAfter = (period: number) =>
    codes.every((code, at) => at < period || code === codes[at - period]);
  const period = codes.findIndex((_, at) => at > 0 && repeatsAfter(at));
  return period === -1 ? codes.length : period;
}

/**
 * How many letters can't be predicted from earlier ones: only the first few of "0000", "abcd" or "a1b2c3" (two apart).
 */
const surprisesIn = (codes: number[], apart: number) =>
  codes.filter((code, at) => {
    const [before, beforeThat] = [codes[at - apart], codes[at - 2 * apart]];
    return before === undefined || beforeThat === undefined || code - before !== before - beforeThat;
  }).length;

const refreshKeyFrom = (material: Buffer) => createSecretKey(derive(material, "curfew refresh token", 32));

const derive = (material: Buffer, label: string, length: number) =>
  Buffer.from(hkdfSync("sha256", material, "", label, length));
