import { createHmac, createSecretKey, generateKeyPairSync, hkdfSync, randomBytes } from "node:crypto";
import { CurfewError } from "../../src/errors";
import { createKeyRing } from "../../src/keys/key-ring";
import { readPrivateKey, readSecret, type SigningKey } from "../../src/keys/keys";
import { createRefreshTokens, type RefreshToken, type RefreshTokens } from "../../src/tokens/refresh-tokens";
import {
  createTokens,
  expectAccepted,
  expectRefused,
  flips,
  genuine as accessToken,
} from "../helpers/access-tokens";
import { decodePart, encode, hmacSigner, vary } from "../helpers/jws";
import { SECRET } from "../helpers/service";

const NOW = 1_900_000_000;
const TOKEN: RefreshToken = {
  sub: "0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11",
  sid: "6c0d6a52-5d53-4e29-9a52-0f2f4a0f7f10",
  generation: 3,
  exp: NOW + 2_592_000,
  endsAt: NOW + 7_776_000,
};

const key = readSecret(SECRET);
const tokensOf = (signing: SigningKey) => createRefreshTokens(createKeyRing(signing));
const tokens = tokensOf(key);
const genuine = tokens.mint(TOKEN);
const [payload = "", mac = ""] = genuine.split(".");
const claims = decodePart(genuine, 0);

/** Some payload, with the MAC of whichever key. */
const withMac = (text: unknown, secret: string | Buffer) =>
  `${encode(text)}.${hmacSigner(secret)(encode(text))}`;

function expectInvalid(token: string, verifier: RefreshTokens = tokens): void {
  let refusal: unknown;
  try {
    verifier.verify(token);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(CurfewError);
  expect(refusal).toMatchObject({
    code: "refresh_token_invalid",
    message: "The refresh token is not valid, or its session is over.",
    details: undefined,
  });
}

beforeEach(() => {
  jest.useFakeTimers({ now: NOW * 1000 });
});
afterEach(() => {
  jest.useRealTimers();
});

describe("a genuine refresh token", () => {
  it("is read as it was minted", () => {
    expect(tokens.verify(genuine)).toEqual(TOKEN);
  });

  it("is read by every process with the same key", () => {
    expect(tokensOf(readSecret(SECRET)).verify(genuine)).toEqual(TOKEN);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const [pkcs8, sec1] = [
      privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      privateKey.export({ type: "sec1", format: "pem" }).toString(),
    ];
    const token = tokensOf(readPrivateKey(pkcs8)).mint(TOKEN);
    expect(tokensOf(readPrivateKey(sec1)).verify(token)).toEqual(TOKEN);
  });

  it("is the same each time it is minted, so that concurrent refreshes get one successor", () => {
    expect(tokens.mint({ ...TOKEN })).toBe(genuine);
  });

  it("lives until exp and no longer", () => {
    jest.setSystemTime(TOKEN.exp * 1000 - 1);
    expect(tokens.verify(genuine)).toEqual(TOKEN);
    for (const lateMs of [0, 1, 1000, 365 * 86_400_000]) {
      jest.setSystemTime(TOKEN.exp * 1000 + lateMs);
      expectInvalid(genuine);
    }
  });

  it("fits into a header or cookie with room to spare", () => {
    expect(genuine).toMatch(/^[\w-]+\.[\w-]+$/);
    expect(genuine.length).toBeLessThan(512);
  });
});

describe("verify", () => {
  const otherKey = readSecret(randomBytes(48).toString("base64url"));
  const padded = (bytes: number) =>
    tokens.mint({
      ...TOKEN,
      sub: "x".repeat(Math.ceil(((bytes - genuine.length) * 3) / 4) + TOKEN.sub.length),
    });

  it.each<[string, () => string]>([
    ["nothing", () => ""],
    ["a dot", () => "."],
    ["two dots", () => ".."],
    ["the payload alone", () => payload],
    ["the MAC alone", () => `.${mac}`],
    ["an empty MAC", () => `${payload}.`],
    ["a third part", () => `${genuine}.${mac}`],
    ["an empty third part", () => `${genuine}.`],
    [
      "a payload from elsewhere under the genuine MAC",
      () => `${encode({ ...claims, generation: 4 })}.${mac}`,
    ],
    [
      "the MAC of another token",
      () => `${payload}.${tokens.mint({ ...TOKEN, generation: 4 }).split(".")[1] ?? ""}`,
    ],
    ["a token of another key", () => tokensOf(otherKey).mint(TOKEN)],
    ["a token of another key under our kid", () => withMac(claims, otherKey.refreshKey.export())],
    ["a token without a kid", () => withMac(TOKEN, key.refreshKey.export())],
    ["an unknown kid", () => withMac({ ...claims, kid: "other" }, key.refreshKey.export())],
    ["kid __proto__", () => withMac({ ...claims, kid: "__proto__" }, key.refreshKey.export())],
    ["our kid in an array", () => withMac({ ...claims, kid: [key.kid] }, key.refreshKey.export())],
    ["an array for a payload", () => withMac([claims], key.refreshKey.export())],
    ["null for a payload", () => withMac("null", key.refreshKey.export())],
    ["no JSON for a payload", () => withMac("x", key.refreshKey.export())],
    ["a MAC under an empty key", () => withMac(claims, "")],
    ["a MAC under the kid", () => withMac(claims, key.kid)],
    ["a MAC of zero bytes", () => `${payload}.${encode(Buffer.alloc(32))}`],
    ["a MAC cut short", () => `${payload}.${encode(Buffer.from(mac, "base64url").subarray(0, 16))}`],
    [
      "a MAC with a byte more",
      () => `${payload}.${encode(Buffer.concat([Buffer.from(mac, "base64url"), Buffer.alloc(1)]))}`,
    ],
    ["a MAC of SHA-512", () => `${payload}.${hmacSigner(key.refreshKey.export(), "sha512")(payload)}`],
    ["an access token", () => accessToken],
    ["the first two parts of an access token", () => accessToken.split(".").slice(0, 2).join(".")],
    ["an access token without its header", () => accessToken.split(".").slice(1).join(".")],
    ["a genuine token of more than 1 KiB", () => padded(1025)],
    ["a genuine token of 70 KB", () => padded(70_000)],
    ["a megabyte of dots", () => ".".repeat(2 ** 20)],
  ])("refuses %s", (_title, token) => {
    expectInvalid(token());
    expect(tokens.verify(genuine)).toEqual(TOKEN);
  });

  it("refuses the token with any one bit flipped", () => {
    for (const flipped of flips(genuine)) expectInvalid(flipped);
    expect(tokens.verify(genuine)).toEqual(TOKEN);
  });

  it.each([0, 1])("refuses any other spelling of part %i", (part) => {
    const other = (change: (text: string) => string) =>
      genuine
        .split(".")
        .map((text, index) => (index === part ? change(text) : text))
        .join(".");
    for (const suffix of ["=", "==", "!", " ", "\n", "\0", "A", "é"]) {
      expectInvalid(other((text) => text + suffix));
      expectInvalid(other((text) => suffix + text));
    }
    expectInvalid(other((text) => `${text.slice(0, 8)}\n${text.slice(8)}`));
    expect(tokens.verify(genuine)).toEqual(TOKEN);
  });

  it("refuses + and / for - and _ in the MAC, and stray bits in its last letter", () => {
    const token = Array.from({ length: 50 }, (_, generation) => tokens.mint({ ...TOKEN, generation })).find(
      (text) => /[-_]/.test(text.split(".")[1] ?? ""),
    );
    expect(token).toBeDefined();
    const [first = "", second = ""] = token?.split(".") ?? [];
    expectInvalid(`${first}.${second.replaceAll("-", "+").replaceAll("_", "/")}`);
    const others = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
      .map((letter) => mac.slice(0, -1) + letter)
      .filter((text) => text !== mac && Buffer.from(text, "base64url").equals(Buffer.from(mac, "base64url")));
    expect(others).toHaveLength(3);
    for (const text of others) expectInvalid(`${payload}.${text}`);
  });
});

describe("the key of the MAC", () => {
  it("is not the secret, nor anything plain made of it", () => {
    const digest = createHmac("sha256", SECRET).update("curfew refresh token").digest();
    for (const secret of [SECRET, Buffer.from(SECRET, "base64url"), digest])
      expectInvalid(withMac(claims, secret));
    expect(withMac(claims, key.refreshKey.export())).toBe(genuine);
  });

  it("signs no access token", () => {
    expectRefused(() => createTokens(key).verify(vary(accessToken, key.refreshKey.export(), {})));
    expectAccepted(vary(accessToken, SECRET, {}), createTokens(key));
  });

  it.each([
    ["RSA", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["P-256", () => generateKeyPairSync("ec", { namedCurve: "P-256" })],
  ])("can't be had from an %s public key, and no two private ones share it", (_title, generate) => {
    const { privateKey, publicKey } = generate();
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const { refreshKey, kid } = readPrivateKey(pem);
    const { n = "", e = "", x = "", y = "" } = publicKey.export({ format: "jwk" });
    const known = [
      ...[kid, n, e, x, y, `${x}${y}`].flatMap((text) => [Buffer.from(text), Buffer.from(text, "base64url")]),
      publicKey.export({ type: "spki", format: "der" }),
      Buffer.from(publicKey.export({ type: "spki", format: "pem" })),
      Buffer.from(JSON.stringify(publicKey.export({ format: "jwk" }))),
    ];
    for (const material of known) {
      const derived = Buffer.from(hkdfSync("sha256", material, "", "curfew refresh token", 32));
      expect(refreshKey.equals(createSecretKey(derived))).toBe(false);
      expect(refreshKey.equals(createSecretKey(material))).toBe(false);
    }
    const other = generate().privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const token = tokensOf(readPrivateKey(pem)).mint(TOKEN);
    expect(tokensOf(readPrivateKey(pem)).verify(token)).toEqual(TOKEN);
    expectInvalid(token, tokensOf(readPrivateKey(other)));
  });
});

describe("the tokens of many sessions and generations", () => {
  const generations = Array.from({ length: 4000 }, (_, generation) => ({ ...TOKEN, generation }));
  const macs = generations.map((token) => Buffer.from(tokens.mint(token).split(".")[1] ?? "", "base64url"));

  it("are all different, and each is read as what it is", () => {
    expect(new Set(macs.map(encode)).size).toBe(4000);
    for (const token of generations) expect(tokens.verify(tokens.mint(token))).toEqual(token);
  });

  // Nothing here is random: the secret and the payloads are fixed, and with them every bit.
  it("have MACs of 256 bits, each bit of which is set in half of them", () => {
    for (let bit = 0; bit < 256; bit++) {
      const set = macs.filter((bytes) => bytes.readUInt8(bit >> 3) & (1 << (bit % 8))).length;
      // Six standard deviations.
      expect(Math.abs(set - 2000)).toBeLessThan(190);
    }
  });
});
