import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  createHash,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { deflateRawSync } from "node:zlib";

export type Algorithm = "HS256" | "RS256" | "ES256";

/** One key, one algorithm (RFC 8725 §3.1), and always KeyObjects: jsonwebtoken guesses what a string may be. */
export type SigningKey = {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly signWith: KeyObject;
  readonly verifyWith: KeyObject;
  /** Authenticates refresh tokens; derived, so that neither purpose gives the other away. */
  readonly refreshKey: KeyObject;
};

const MIN_SECRET_BYTES = 32;
const MIN_SECRET_BITS = 72;
const PLACEHOLDER =
  /secret|passw|change.?me|example|your.?(?:key|jwt|own|256|512)|default|qwerty|insecure|replace.?(?:me|this)/i;

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
  const signWith = createPrivateKey(pem);
  const jwk = signWith.export({ format: "jwk" });
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

function algorithmOf(key: KeyObject): Algorithm {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa" && modulusLength >= 2048) return "RS256";
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return "ES256";
  throw new TypeError("it holds a key that is neither RSA of 2048 bits or more nor P-256");
}

function weaknessOf(secret: string): string | undefined {
  const length = Buffer.byteLength(secret);
  if (length < MIN_SECRET_BYTES) return `it is ${length} bytes long, which is less than ${MIN_SECRET_BYTES}`;
  if (PLACEHOLDER.test(secret)) return "it contains a word that stands in published examples";
  if (estimatedBits(secret) < MIN_SECRET_BITS)
    return "it can be guessed: it repeats itself or follows a pattern";
  return undefined;
}

/** The smallest of three estimates: by letter frequency, by what compression finds, and by runs such as "abcd" or "0000". */
function estimatedBits(secret: string): number {
  const codes = Array.from(secret, (letter) => letter.charCodeAt(0));
  const counts = new Map<number, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  const bitsPerLetter = [...counts.values()]
    .map((count) => count / codes.length)
    .reduce((bits, share) => bits - share * Math.log2(share), 0);
  const steps = codes.map((code, at) => code - (codes[at - 1] ?? 0));
  const surprises = steps.filter((step, at) => step !== steps[at - 1]).length;
  return Math.min(
    bitsPerLetter * codes.length,
    bitsPerLetter * surprises,
    deflateRawSync(secret).length * 4.5,
  );
}

const refreshKeyFrom = (material: Buffer) => createSecretKey(derive(material, "curfew refresh token", 32));

const derive = (material: Buffer, label: string, length: number) =>
  Buffer.from(hkdfSync("sha256", material, "", label, length));
