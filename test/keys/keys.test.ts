import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isNativeError } from "node:util/types";
import { readKeptSecret } from "../../src/keys/kept-secret";
import { readPrivateKey, readSecret } from "../../src/keys/keys";
import { SECRET } from "../helpers/service";

const pemOf = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();

/** What `read` throws; its message must not repeat what it was given. */
function refusalOf(read: () => unknown, given: string): Error {
  let refusal: unknown;
  try {
    read();
  } catch (error) {
    refusal = error;
  }
  // Those of node:crypto aren't instances of the Error that jest gives to tests.
  expect(isNativeError(refusal)).toBe(true);
  const { message, stack = "" } = refusal as Error;
  if (given.length >= 8) expect(`${message}${stack}`).not.toContain(given);
  return refusal as Error;
}

describe("readSecret", () => {
  it.each([
    ["an empty one", ""],
    ["one letter", "a"],
    ["31 bytes", "q7Xw2LpZ9vTr4NcB8mKd1YsF6hGj3Ue"],
    ["15 letters of two bytes", "äößüéèñçåøœđħłŧ"],
    ["one letter 32 times", "a".repeat(32)],
    ["one letter 64 times", "a".repeat(64)],
    ["zeros and a one", `${"0".repeat(63)}1`],
    ["32 spaces", " ".repeat(32)],
    ["two letters in turn", "ab".repeat(20)],
    ["a word over and over", "deadbeef".repeat(8)],
    ["abc123 over and over", "abc123".repeat(8)],
    ["digits in order", "01234567890123456789012345678901"],
    ["hexadecimal digits in order", "0123456789abcdef0123456789abcdef"],
    ["the alphabet", "abcdefghijklmnopqrstuvwxyz0123456789"],
    ["the alphabet backwards", "zyxwvutsrqponmlkjihgfedcba9876543210"],
    ["the alphabet twice", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"],
    ["runs of one digit", "11111111112222222222333333333344"],
    ["a row of the keyboard over and over", "asdfghjkl".repeat(4)],
    ["secret", "my-super-secret-k8Xq2LpZ9vTr4NcB8mKd"],
    ["SECRET in capitals", "MY_SECRET_k8Xq2LpZ9vTr4NcB8mKd1YsF6"],
    ["password", "Password-k8Xq2LpZ9vTr4NcB8mKd1YsF6hG"],
    ["change me", "change-me-k8Xq2LpZ9vTr4NcB8mKd1YsF6h"],
    ["changeme", "changeme-k8Xq2LpZ9vTr4NcB8mKd1YsF6hG"],
    ["example", "example-k8Xq2LpZ9vTr4NcB8mKd1YsF6hGj"],
    ["default", "default-k8Xq2LpZ9vTr4NcB8mKd1YsF6hGj"],
    ["insecure", "insecure-k8Xq2LpZ9vTr4NcB8mKd1YsF6hG"],
    ["replace me", "REPLACE_ME_k8Xq2LpZ9vTr4NcB8mKd1YsF6"],
    ["your key", "your_key_k8Xq2LpZ9vTr4NcB8mKd1YsF6hG"],
    ["qwerty", "qwertyuiopasdfghjklzxcvbnm1234567890"],
    ["a phrase over and over", "hello-world-hello-world-hello-world"],
    ["letters in pairs, in order", "aabbccddeeffgghhiijjkkllmmnnoopp"],
    ["the bytes 1 to 16 in hexadecimal", "0102030405060708090a0b0c0d0e0f10"],
    [
      "the key of RFC 7515",
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ],
    ["the debugger of jwt.io", "a-string-secret-at-least-256-bits-long"],
    ["the debugger of jwt.io, as it was", "your-256-bit-secret-your-256-bit-secret"],
  ])("refuses %s", (_title, secret) => {
    const refusal = refusalOf(() => readSecret(secret), secret);
    expect(refusal).toBeInstanceOf(TypeError);
    expect(refusal.message).toMatch(/^it (is|contains|can be guessed)/);
  });

  it.each([
    ["32 hexadecimal digits", "9f86d081884c7d659a2feaa0c55ad015"],
    ["64 hexadecimal digits", "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"],
    ["base64 of 48 bytes", "pX3v+7mQeH0s2Wk9ZB1nYtC4rGfD6uJaLoVi8/xEqNbT5hRcMwKyUgSj0FOzPlA7"],
    ["base64 of 32 bytes", "kqVtXh4mJ8sYb2LzN0wPcR7uGdF5aEi9oKxTgMyQ1lU="],
    ["base64url", SECRET],
    ["a UUID", "3f2b8c1e-7d4a-4e9b-a6c5-0d8f1b2e7a94"],
    ["six words", "cabbage lantern orbit velvet thimble quartz"],
    ["32 bytes that are fewer letters", "žluťoučký kůň úpěl ďábels"],
  ])("accepts %s", (_title, secret) => {
    expect(readSecret(secret).algorithm).toBe("HS256");
  });

  // The bytes are those of SHA-512 over a counter: as good as random, and the same in every run.
  it.each([
    ["32 hexadecimal digits", (bytes: Buffer) => bytes.toString("hex", 0, 16)],
    ["64 hexadecimal digits", (bytes: Buffer) => bytes.toString("hex", 0, 32)],
    ["base64 of 32 bytes", (bytes: Buffer) => bytes.toString("base64", 0, 32)],
    ["base64 of 48 bytes", (bytes: Buffer) => bytes.toString("base64", 0, 48)],
    ["base64url of 24 bytes", (bytes: Buffer) => bytes.toString("base64url", 0, 24)],
    ["40 digits", (bytes: Buffer) => Array.from(bytes.subarray(0, 40), (byte) => byte % 10).join("")],
  ])("accepts each of 3000 random secrets in the form of %s", (_title, form) => {
    for (let count = 0; count < 3000; count++) {
      const secret = form(createHash("sha512").update(`sample ${count}`).digest());
      expect(() => readSecret(secret)).not.toThrow();
    }
  });

  it("refuses what is public", () => {
    const pems = [
      generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "pkcs1", format: "pem" }),
      generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }),
      "-----BEGIN CERTIFICATE-----\nq7Xw2LpZ9vTr4NcB8mKd1YsF6hGj3Ueq7Xw2LpZ9",
    ];
    for (const pem of pems.map(String))
      expect(refusalOf(() => readSecret(pem), pem.split("\n")[1] ?? "").message).toMatch(/public key/);
  });

  it("makes a kid that stays the same, differs between secrets, and is no plain hash of the secret", () => {
    const { kid } = readSecret(SECRET);
    expect(kid).toMatch(/^[\w-]{12}$/);
    expect(readSecret(SECRET).kid).toBe(kid);
    expect(readSecret(`${SECRET}x`).kid).not.toBe(kid);
    for (const hash of ["sha1", "sha256", "sha512", "md5"]) {
      expect(createHash(hash).update(SECRET).digest("base64url")).not.toContain(kid);
    }
  });

  it("derives the refresh tokens' key apart from the kid, which everybody may read", () => {
    const { kid, refreshKey } = readSecret(SECRET);
    expect(refreshKey.export().subarray(0, 9).toString("base64url")).not.toBe(kid);
    // Another one would log everybody out.
    expect(refreshKey.export().toString("base64url")).toBe("Hka3VXkT975MMBUfLJJE3TK7oSUs_FcyCPlpR2cdJkM");
  });

  it("keeps the secret in KeyObjects, which no log writes out", () => {
    const key = readSecret(SECRET);
    expect([key.signWith.type, key.verifyWith.type, key.refreshKey.type]).toEqual([
      "secret",
      "secret",
      "secret",
    ]);
    expect(key.refreshKey.export()).not.toEqual(key.signWith.export());
    expect(JSON.stringify(key)).not.toContain(SECRET);
  });
});

describe("readPrivateKey", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });

  // RFC 7638 §3: the required members alone, in alphabetical order, without white space.
  const thumbprintOf = (key: KeyObject) => {
    const { kty = "", e = "", n = "", crv = "", x = "", y = "" } = key.export({ format: "jwk" });
    const members =
      kty === "RSA"
        ? `{"e":"${e}","kty":"RSA","n":"${n}"}`
        : `{"crv":"${crv}","kty":"${kty}","x":"${x}","y":"${y}"}`;
    return createHash("sha256").update(members).digest("base64url");
  };

  it.each([
    ["RSA of 2048 bits", "RS256", rsa],
    ["RSA of 3072 bits", "RS256", generateKeyPairSync("rsa", { modulusLength: 3072 })],
    ["P-256", "ES256", p256],
  ])("accepts %s as a key for %s, named by its RFC 7638 thumbprint", (_title, algorithm, pair) => {
    const key = readPrivateKey(pemOf(pair.privateKey));
    expect(key).toMatchObject({ algorithm, kid: thumbprintOf(pair.publicKey) });
    expect([key.signWith.type, key.verifyWith.type, key.refreshKey.type]).toEqual([
      "private",
      "public",
      "secret",
    ]);
    expect(key.verifyWith.equals(pair.publicKey)).toBe(true);
  });

  it("reads PKCS#1 and SEC 1 as the same keys", () => {
    const pkcs1 = rsa.privateKey.export({ type: "pkcs1", format: "pem" }).toString();
    const sec1 = p256.privateKey.export({ type: "sec1", format: "pem" }).toString();
    for (const [pem, { privateKey }] of [[pkcs1, rsa] as const, [sec1, p256] as const]) {
      const [key, same] = [readPrivateKey(pem), readPrivateKey(pemOf(privateKey))];
      expect(key.kid).toBe(same.kid);
      expect(key.refreshKey.equals(same.refreshKey)).toBe(true);
    }
  });

  it.each([
    ["RSA of 1024 bits", generateKeyPairSync("rsa", { modulusLength: 1024 })],
    ["RSA of 2040 bits", generateKeyPairSync("rsa", { modulusLength: 2040 })],
    ["P-384", generateKeyPairSync("ec", { namedCurve: "P-384" })],
    ["P-521", generateKeyPairSync("ec", { namedCurve: "P-521" })],
    ["secp256k1", generateKeyPairSync("ec", { namedCurve: "secp256k1" })],
    ["Ed25519", generateKeyPairSync("ed25519")],
    ["X25519", generateKeyPairSync("x25519")],
  ])("refuses a private key of %s", (_title, { privateKey }) => {
    const pem = pemOf(privateKey);
    const refusal = refusalOf(() => readPrivateKey(pem), pem.split("\n")[1] ?? "");
    expect(refusal).toBeInstanceOf(TypeError);
    expect(refusal.message).toBe("it holds a key that is neither RSA of 2048 bits or more nor P-256");
  });

  it.each([
    ["RSA-PSS", pemOf(generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey)],
    [
      "a curve that JWKs don't know",
      pemOf(generateKeyPairSync("ec", { namedCurve: "brainpoolP256r1" }).privateKey),
    ],
    ["a public key", createPublicKey(rsa.privateKey).export({ type: "spki", format: "pem" }).toString()],
    ["an encrypted key", encrypted(p256.privateKey)],
    ["half a key", pemOf(rsa.privateKey).slice(0, 800)],
    ["a secret", SECRET],
    ["an empty file", ""],
  ])("refuses %s", (_title, text) => {
    refusalOf(() => readPrivateKey(text), text);
    refusalOf(() => readPrivateKey(text), text.split("\n")[1] ?? "");
  });
});

describe("readKeptSecret", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "curfew-kept-"));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });
  const modeOf = (path: string) => statSync(path).mode & 0o777;

  it("makes a strong secret once, which only its owner can read, and reads it from then on", () => {
    const file = join(dir, "data", "jwt-secret");
    const made = readKeptSecret(file);
    expect(modeOf(file)).toBe(0o600);
    expect(modeOf(join(dir, "data"))).toBe(0o700);
    const text = readFileSync(file, "utf8");
    expect(Buffer.from(text, "base64url")).toHaveLength(48);
    expect(made.kid).toBe(readSecret(text).kid);
    expect(readKeptSecret(file).signWith.equals(made.signWith)).toBe(true);
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  it("keeps to these modes whatever the umask", () => {
    const before = process.umask(0);
    try {
      readKeptSecret(join(dir, "data", "jwt-secret"));
    } finally {
      process.umask(before);
    }
    expect(modeOf(join(dir, "data", "jwt-secret"))).toBe(0o600);
    expect(modeOf(join(dir, "data"))).toBe(0o700);
  });

  it("makes another secret for another file", () => {
    expect(readKeptSecret(join(dir, "a")).kid).not.toBe(readKeptSecret(join(dir, "b")).kid);
  });

  it("takes the secret that is there, with a line break at its end, and changes nothing", () => {
    const file = join(dir, "jwt-secret");
    writeFileSync(file, `${SECRET}\n`);
    expect(readKeptSecret(file).kid).toBe(readSecret(SECRET).kid);
    expect(readFileSync(file, "utf8")).toBe(`${SECRET}\n`);
  });

  it("refuses a weak secret that is there, and changes nothing", () => {
    const file = join(dir, "jwt-secret");
    writeFileSync(file, "a".repeat(64));
    expect(refusalOf(() => readKeptSecret(file), "aaaaaaaa")).toBeInstanceOf(TypeError);
    expect(readFileSync(file, "utf8")).toBe("a".repeat(64));
  });

  it("says what is wrong where it can't make one", () => {
    const file = join(dir, "jwt-secret");
    mkdirSync(file);
    expect(() => readKeptSecret(file)).toThrow("EISDIR");
  });
});

function encrypted(key: KeyObject): string {
  return key
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "passphrase" })
    .toString();
}
