import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { verify as verifySignature } from "jsonwebtoken";
import { createKeyRing } from "../../src/keys/key-ring";
import { pemOf, publicJwkOf, readPrivateKey, readSecret, type SigningKey } from "../../src/keys/keys";
import { createRefreshTokens } from "../../src/tokens/refresh-tokens";
import { CLAIMS, createTokens, expectAccepted, expectRefused, NOW } from "../helpers/access-tokens";
import { decodePart, encode, hmacSigner, keySigner, vary } from "../helpers/jws";
import { SECRET } from "../helpers/service";

beforeEach(() => {
  jest.useFakeTimers({ now: NOW * 1000 });
});
afterEach(() => {
  jest.useRealTimers();
});

const generate = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
};
const pair = (algorithm: keyof typeof generate) => readPrivateKey(pemOf(generate[algorithm]().privateKey));

const keys = {
  HS256: readSecret(SECRET),
  "another HS256": readSecret(`${SECRET}x`),
  RS256: pair("RS256"),
  ES256: pair("ES256"),
  "another ES256": pair("ES256"),
};
type Name = keyof typeof keys;
const names = Object.keys(keys) as Name[];
const ordered = names.flatMap((signing) =>
  names.filter((other) => other !== signing).map((other): [Name, Name] => [signing, other]),
);

const REFRESH = { sub: "u", sid: "s", generation: 1, exp: NOW + 1000, endsAt: NOW + 2000 };
const refreshTokensOf = (signing: SigningKey, ...others: SigningKey[]) =>
  createRefreshTokens(createKeyRing(signing, others));

describe("a ring", () => {
  it("lists every key once, the one that signs first", () => {
    const [signing, other] = [keys.HS256, keys.ES256];
    const ring = createKeyRing(signing, [other, readSecret(SECRET)]);
    expect(ring.all.map(({ kid }) => kid)).toEqual([signing.kid, other.kid]);
    expect(ring.find(signing.kid)?.kid).toBe(signing.kid);
    for (const kid of ["", "__proto__", undefined, null, 0, [other.kid]])
      expect(ring.find(kid)).toBeUndefined();
  });
});

describe.each(ordered)("where %s signs and %s verifies", (signs, verifies) => {
  const [signing, other] = [keys[signs], keys[verifies]];
  const tokens = createTokens(signing, 0, [other]);

  it("tokens of both are accepted, and new ones are of the first", () => {
    const token = tokens.mint(CLAIMS);
    expect(decodePart(token, 0)).toEqual({ alg: signing.algorithm, typ: "at+jwt", kid: signing.kid });
    expectAccepted(token, tokens);
    expectAccepted(createTokens(other).mint(CLAIMS), tokens);
    expectRefused(() => createTokens(signing).verify(createTokens(other).mint(CLAIMS)));
  });

  it("so are refresh tokens", () => {
    const [both, alone] = [refreshTokensOf(signing, other), refreshTokensOf(signing)];
    const [mine, others] = [both.mint(REFRESH), refreshTokensOf(other).mint(REFRESH)];
    expect(decodePart(mine, 0)["kid"]).toBe(signing.kid);
    expect(both.verify(mine)).toEqual(REFRESH);
    expect(both.verify(others)).toEqual(REFRESH);
    expect(alone.verify(mine)).toEqual(REFRESH);
    expect(() => alone.verify(others)).toThrow("The refresh token is not valid");
  });

  it("the kid decides the key, and the key the algorithm: neither key does under the other's name", () => {
    const signerOf = ({ algorithm, signWith }: SigningKey) =>
      algorithm === "HS256" ? hmacSigner(signWith.export()) : keySigner(signWith);
    for (const [key, named] of [
      [signing, other],
      [other, signing],
    ] as const) {
      const token = createTokens(named).mint(CLAIMS);
      expectAccepted(token, tokens);
      expectRefused(() => tokens.verify(vary(token, signerOf(key), {})));
      expectRefused(() => tokens.verify(vary(token, signerOf(key), { header: { alg: key.algorithm } })));
      const payload = encode({ kid: named.kid, ...REFRESH });
      const forged = `${payload}.${hmacSigner(key.refreshKey.export())(payload)}`;
      expect(() => refreshTokensOf(signing, other).verify(forged)).toThrow("The refresh token is not valid");
    }
  });
});

describe("the public part of a key", () => {
  it.each(["RS256", "ES256"] as const)("verifies what %s signed, and holds nothing private", (algorithm) => {
    const key = keys[algorithm];
    const jwk = publicJwkOf(key) ?? {};
    const names = { RS256: ["e", "kty", "n"], ES256: ["crv", "kty", "x", "y"] }[algorithm];
    expect(Object.keys(jwk).sort()).toEqual([...names, "alg", "kid", "use"].sort());
    expect(jwk).toMatchObject({ kid: key.kid, alg: algorithm, use: "sig" });
    const publicKey = createPublicKey({ key: jwk, format: "jwk" });
    const token = createTokens(key).mint(CLAIMS);
    expect(verifySignature(token, publicKey, { algorithms: [algorithm] })).toMatchObject(CLAIMS);
  });

  it("of a secret is nothing", () => {
    expect(publicJwkOf(keys.HS256)).toBeUndefined();
  });
});
