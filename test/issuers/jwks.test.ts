import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { createServer } from "node:http";
import { CurfewError } from "../../src/errors";
import { ASYMMETRIC, type IssuerAlgorithm } from "../../src/issuers/issuer-keys";
import { createJwks, type IssuerKeys, type JwksLimits } from "../../src/issuers/jwks";
import { eventually } from "../helpers/client";
import { jwkOf, keepLog, pairs, startIssuer } from "../helpers/issuer";

const HOUR_MS = 3_600_000;
/** Nothing happens by itself: neither a second fetch nor an end of what was fetched. */
const LIMITS = {
  timeoutMs: 2000,
  maxBytes: 65_536,
  cooldownMs: HOUR_MS,
  refreshMs: HOUR_MS,
  maxAgeMs: HOUR_MS,
};

const ES256 = jwkOf(pairs["P-256"], { kid: "es", alg: "ES256", use: "sig" });
const ED = jwkOf(pairs.Ed25519, { kid: "ed", alg: "EdDSA" });

let issuer: Awaited<ReturnType<typeof startIssuer>>;
const opened: IssuerKeys[] = [];
beforeEach(async () => {
  issuer = await startIssuer();
});
afterEach(async () => {
  for (const keys of opened.splice(0)) keys.close();
  await issuer.stop();
});

function open(limits: Partial<JwksLimits> = {}, algorithms: readonly IssuerAlgorithm[] = ASYMMETRIC) {
  const { log, lines } = keepLog();
  const source = { name: "acme", uri: issuer.uri, algorithms };
  const keys = createJwks(source, { log, limits: { ...LIMITS, ...limits } });
  opened.push(keys);
  return { ...keys, lines };
}

const refusalOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

async function expectUnavailable(promise: Promise<unknown>, reason?: RegExp): Promise<void> {
  const refusal = await refusalOf(promise);
  expect(refusal).toBeInstanceOf(CurfewError);
  expect(refusal).toMatchObject({ code: "issuer_unavailable", about: { issuer: "acme" } });
  if (reason)
    expect((refusal as CurfewError).cause).toMatchObject({
      message: expect.stringMatching(reason) as string,
    });
}

describe("the keys of an issuer", () => {
  it("are fetched before anybody asks, once for all who ask", async () => {
    issuer.publish(ES256, ED);
    const keys = open();
    const found = await Promise.all(["es", "ed", "es"].map((kid) => keys.find(kid)));
    expect(found.map((key) => key?.algorithm)).toEqual(["ES256", "EdDSA", "ES256"]);
    expect(found[0]?.verifyWith.equals(pairs["P-256"].publicKey)).toBe(true);
    expect(issuer.requests()).toBe(1);
    expect(keys.lines).toEqual([{ level: 30, issuer: "acme", msg: "the issuer's keys were fetched" }]);
  });

  it("are found by exactly their kid, and without one only if there is a single one", async () => {
    issuer.publish(ES256, ED);
    const two = open();
    for (const kid of [
      "ES",
      "",
      "__proto__",
      "constructor",
      "toString",
      "../../dev/null",
      "es\0",
      "k".repeat(8000),
    ]) {
      expect(await two.find(kid)).toBeUndefined();
    }
    expect(await two.find(undefined)).toBeUndefined();
    issuer.publish(ES256);
    expect(await open().find(undefined)).toMatchObject({ algorithm: "ES256" });
    expect(await open().find("another")).toBeUndefined();
  });

  it("are one key if it has no kid, which no kid then names", async () => {
    issuer.publish({ ...ES256, kid: undefined });
    const keys = open();
    expect(await keys.find(undefined)).toMatchObject({ algorithm: "ES256" });
    expect(await keys.find("es")).toBeUndefined();
    expect(await keys.find("undefined")).toBeUndefined();
  });

  it("are none if the issuer says so", async () => {
    issuer.publish();
    expect(await open().find("es")).toBeUndefined();
  });
});

describe("a kid that isn't known", () => {
  it("makes one fetch in a cooldown, however many ask and with however many kids", async () => {
    issuer.publish(ES256);
    const keys = open();
    await keys.find("es");
    const found = await Promise.all(Array.from({ length: 1000 }, (_, n) => keys.find(`kid-${n}`)));
    expect(found.every((key) => key === undefined)).toBe(true);
    expect(issuer.requests()).toBe(1);
  });

  it("makes another when the cooldown is over, and one only for all who ask meanwhile", async () => {
    issuer.publish(ES256);
    const keys = open({ cooldownMs: 1 });
    await keys.find("es");
    await eventually(async () => {
      await keys.find("new");
      return issuer.requests() > 1;
    });
    issuer.answer((_req, res) => void setTimeout(() => res.end(JSON.stringify({ keys: [ES256, ED] })), 100));
    const before = issuer.requests();
    const found = await Promise.all(
      Array.from({ length: 200 }, (_, n) => keys.find(n === 7 ? "ed" : `kid-${n}`)),
    );
    expect(found[7]).toMatchObject({ algorithm: "EdDSA" });
    expect(found.filter((key) => key !== undefined)).toHaveLength(1);
    expect(issuer.requests() - before).toBe(1);
  });

  it("holds up no token whose kid is known", async () => {
    issuer.publish(ES256);
    const keys = open({ cooldownMs: 0 });
    await keys.find("es");
    let isAnswered = false;
    issuer.answer((_req, res) => void setTimeout(() => res.end(JSON.stringify({ keys: [ES256] })), 300));
    const waiting = keys.find("unknown").then(() => (isAnswered = true));
    expect(await keys.find("es")).toMatchObject({ algorithm: "ES256" });
    expect(isAnswered).toBe(false);
    await waiting;
  });

  it("is no reason to ask if there is none and there are several keys", async () => {
    issuer.publish(ES256, ED);
    const keys = open({ cooldownMs: 0 });
    await keys.find("es");
    await keys.find(undefined);
    expect(issuer.requests()).toBe(1);
  });
});

describe("rotation", () => {
  it("takes a new key when it is first named, and lets go of a removed one by itself", async () => {
    issuer.publish(ES256);
    const keys = open({ cooldownMs: 0 });
    await keys.find("es");
    issuer.publish(ED);
    expect(await keys.find("ed")).toMatchObject({ algorithm: "EdDSA" });
    expect(await keys.find("es")).toBeUndefined();
  });

  it("is noticed by itself", async () => {
    issuer.publish(ES256);
    const keys = open({ refreshMs: 20 });
    await keys.find("es");
    issuer.publish(ED);
    await eventually(async () => (await keys.find("es")) === undefined);
    expect(await keys.find("ed")).toMatchObject({ algorithm: "EdDSA" });
  });

  it("ends with close(), and so does what is under way", async () => {
    let isCutOff = false;
    issuer.answer((_req, res) => void res.once("close", () => (isCutOff = true)));
    const keys = open({ refreshMs: 1, cooldownMs: 1 });
    await eventually(() => Promise.resolve(issuer.requests() === 1));
    keys.close();
    await expectUnavailable(keys.find("es"), /closed/);
    await eventually(() => Promise.resolve(isCutOff));
    expect(issuer.requests()).toBe(1);
    expect(keys.lines).toEqual([]);
  });
});

describe("an issuer that fails", () => {
  const big = JSON.stringify({ keys: [ES256], padding: "x".repeat(70_000) });
  const many = JSON.stringify({ keys: Array.from({ length: 101 }, (_, n) => ({ kid: `${n}` })) });
  const failures: [string, Parameters<typeof issuer.answer>[0], RegExp][] = [
    [
      "answers with an error",
      (_req, res) => res.writeHead(500).end(JSON.stringify({ keys: [ES256] })),
      /with 500/,
    ],
    ["answers with nothing", (_req, res) => res.writeHead(204).end(), /with 204/],
    ["sends a page", (_req, res) => res.end("<!doctype html><p>Sign in"), /not JSON/],
    ["sends half of it", (_req, res) => res.end('{"keys":['), /not JSON/],
    ["sends JSON that is no set", (_req, res) => res.end("[]"), /not a JWK set/],
    ["sends null", (_req, res) => res.end("null"), /not a JWK set/],
    ["sends keys that are no array", (_req, res) => res.end('{"keys":{}}'), /not a JWK set/],
    ["sends keys that are no objects", (_req, res) => res.end('{"keys":[null]}'), /not a JWK set/],
    ["sends more than 64 KiB", (_req, res) => res.end(big), /more than 65536 bytes/],
    [
      "says beforehand that it sends 50 MB",
      (_req, res) => res.writeHead(200, { "Content-Length": 5e7 }).write(big),
      /more than 65536/,
    ],
    ["sends more than 100 keys", (_req, res) => res.end(many), /more than 100 keys/],
    ["says nothing", () => undefined, /longer than 300 ms/],
    ["begins and doesn't go on", (_req, res) => void res.write('{"keys":['), /longer than 300 ms/],
    ["hangs up", (req) => req.socket.destroy(), /./],
    [
      "hangs up in the middle",
      (_req, res) => void res.writeHead(200, { "Content-Length": 100 }).write("{", () => res.destroy()),
      /./,
    ],
  ];

  it.each(failures)("%s: nothing is accepted, nothing is called invalid", async (_title, answer, reason) => {
    issuer.answer(answer);
    const keys = open({ timeoutMs: 300 });
    await expectUnavailable(keys.find("es"), reason);
    await expectUnavailable(keys.find(undefined), reason);
    expect(issuer.requests()).toBe(1);
    expect(keys.lines).toEqual([
      expect.objectContaining({ level: 50, issuer: "acme", cause: expect.stringMatching(reason) as string }),
    ]);
  });

  it.each(failures)(
    "%s: the keys that it had go on, and a new kid is neither good nor bad",
    async (_title, answer) => {
      issuer.publish(ES256);
      const keys = open({ timeoutMs: 300, cooldownMs: 0 });
      await keys.find("es");
      issuer.answer(answer);
      await expectUnavailable(keys.find("ed"));
      expect(await keys.find("es")).toMatchObject({ algorithm: "ES256" });
      issuer.publish(ES256, ED);
      expect(await keys.find("ed")).toMatchObject({ algorithm: "EdDSA" });
    },
  );

  it("redirects: nobody goes there", async () => {
    let visits = 0;
    const inside = createServer((_req, res) => {
      visits++;
      res.end(JSON.stringify({ keys: [ES256] }));
    }).listen(0, "127.0.0.1");
    await eventually(() => Promise.resolve(inside.listening));
    const { port } = inside.address() as { port: number };
    for (const status of [301, 302, 303, 307, 308]) {
      issuer.answer((_req, res) => res.writeHead(status, { Location: `http://127.0.0.1:${port}/` }).end());
      await expectUnavailable(open().find("es"), /redirect/);
    }
    issuer.answer((_req, res) => res.writeHead(302, { Location: issuer.uri }).end());
    await expectUnavailable(open().find("es"), /redirect/);
    expect(visits).toBe(0);
    inside.close();
  });

  it("is dead: said once, and noticed when it lives again", async () => {
    issuer.answer((req) => req.socket.destroy());
    const keys = open({ cooldownMs: 5 });
    await eventually(() => Promise.resolve(issuer.requests() > 5));
    expect(keys.lines).toHaveLength(1);
    issuer.publish(ES256);
    await eventually(async () => (await refusalOf(keys.find("es"))) === undefined);
    expect(keys.lines.map(({ msg }) => msg)).toEqual([
      "the issuer's keys can't be fetched",
      "the issuer's keys were fetched",
    ]);
    expect(await keys.find("unknown")).toBeUndefined();
  });

  it("is a warning: whether the last keys go on, or there are none", async () => {
    issuer.answer((req) => req.socket.destroy());
    const none = open({ cooldownMs: 60_000 });
    await refusalOf(none.find("es"));
    expect(none.warning()).toMatchObject({
      code: "issuer_unavailable",
      message: expect.stringMatching(
        /^The keys of acme can't be fetched \(.+\)\. Its tokens get a 503/,
      ) as string,
    });
    issuer.publish(ES256);
    const some = open({ cooldownMs: 0 });
    await some.find("es");
    expect(some.warning()).toBeUndefined();
    issuer.answer((req) => req.socket.destroy());
    await refusalOf(some.find("unknown"));
    expect(some.warning()?.message).toMatch(/The last ones stay in use/);
  });

  it.each([
    ["was never there", () => "http://127.0.0.1:9/", /ECONNREFUSED|bad port/],
    ["has no name", () => "http://nowhere.invalid/", /ENOTFOUND|EAI_AGAIN/],
    ["doesn't speak TLS", () => issuer.uri.replace("http:", "https:"), /SSL|TLS/i],
  ])("%s: the reason is told", async (_title, uri, reason) => {
    const source = { name: "acme", uri: uri(), algorithms: ASYMMETRIC };
    const keys = createJwks(source, { log: keepLog().log, limits: { ...LIMITS, timeoutMs: 20_000 } });
    opened.push(keys);
    await expectUnavailable(keys.find("es"), reason);
  });

  it("is away for longer than its keys may be used: then they aren't", async () => {
    issuer.publish(ES256);
    const keys = open({ maxAgeMs: 500, cooldownMs: 20 });
    expect(await keys.find("es")).toMatchObject({ algorithm: "ES256" });
    await issuer.stop();
    await eventually(async () => (await refusalOf(keys.find("es"))) !== undefined);
    await expectUnavailable(keys.find("es"), /acme.*ECONNREFUSED/);
  });
});

describe("of a set", () => {
  const rsa = jwkOf(pairs.RSA, { kid: "bad", alg: "RS256" });
  const modulus = (n: bigint, e = "AQAB") => {
    const hex = n.toString(16);
    const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
    return { kty: "RSA", n: bytes.toString("base64url"), e, kid: "bad", alg: "RS256" };
  };
  const weak = jwkOf(generateKeyPairSync("rsa", { modulusLength: 1024 }), { kid: "bad", alg: "RS256" });
  const [roca, wide] = [rocaModulus(), (1n << 8200n) + 1n];
  const { privateKey } = pairs.RSA;

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["a secret", { kty: "oct", k: "c2VjcmV0", kid: "bad", alg: "HS256" }, /neither RSA nor EC nor OKP/],
    ["a private key", { ...privateKey.export({ format: "jwk" }), kid: "bad", alg: "RS256" }, /private/],
    ["a public key with a private exponent", { ...ES256, kid: "bad", d: "AAAA" }, /private/],
    ["a public key with the member of a secret", { ...ES256, kid: "bad", k: "AAAA" }, /private/],
    ["a key for encryption", { ...rsa, use: "enc" }, /use/],
    ["a key of use null", { ...rsa, use: null }, /use/],
    ["a key with key_ops of encryption", { ...rsa, key_ops: ["encrypt"] }, /key_ops/],
    ["a key with key_ops of signing", { ...rsa, key_ops: ["sign"] }, /key_ops/],
    ["a key with key_ops that are text", { ...rsa, key_ops: "verify" }, /key_ops/],
    ["RSA of 1024 bits", weak, /weak/],
    ["RSA of 8201 bits", modulus(wide), /weak/],
    ["RSA with the exponent 1", { ...rsa, e: "AQ" }, /weak/],
    ["RSA with the exponent 3", { ...rsa, e: "Aw" }, /weak/],
    ["RSA with an even exponent", { ...rsa, e: "AQAC" }, /weak/],
    ["RSA with a long exponent", { ...rsa, e: "AQAAAAAAAAAB" }, /weak/],
    ["RSA as some chips made it", modulus(roca), /weak/],
    ["RSA without n", { ...rsa, n: undefined }, /base64url/],
    ["RSA with n that is a number", { ...rsa, n: 5 }, /base64url/],
    ["RSA with n in base64", { ...rsa, n: `${String(rsa.n)}==` }, /base64url/],
    ["RSA with an empty n", { ...rsa, n: "" }, /base64url/],
    ["a point that is not on its curve", { ...ES256, kid: "bad", y: String(ES256.x) }, /form a key/],
    [
      "a curve that its alg isn't for",
      { ...jwkOf(pairs["P-384"]), kid: "bad", alg: "ES256" },
      /none of its issuer's/,
    ],
    ["a curve without a name", { ...ES256, kid: "bad", crv: undefined }, /form a key/],
    ["a curve that is a number", { ...ES256, kid: "bad", crv: 256 }, /form a key/],
    ["secp256k1", { ...jwkOf(generateKeyPairSync("ec", { namedCurve: "secp256k1" })), kid: "bad" }, /weak/],
    ["X25519", { ...jwkOf(generateKeyPairSync("x25519")), kid: "bad" }, /weak/],
    ["an alg that is a list", { ...rsa, alg: ["RS256"] }, /none of its issuer's/],
    ["an alg that is null", { ...rsa, alg: null }, /none of its issuer's/],
    ["alg none", { ...rsa, alg: "none" }, /none of its issuer's/],
    ["alg HS256 on a public key", { ...rsa, alg: "HS256" }, /none of its issuer's/],
    ["no kty", { kid: "bad" }, /neither/],
    ["kty constructor", { ...rsa, kty: "constructor" }, /neither/],
    ["a kid that is a number", { ...ES256, kid: 5 }, /kid/],
    ["a kid that is an object", { ...ES256, kid: { toString: 1 } }, /kid/],
    ["a kid of 257 letters", { ...ES256, kid: "k".repeat(257) }, /kid/],
  ])("%s is left out and said once, and the others are used", async (_title, jwk, reason) => {
    issuer.publish(jwk, ED);
    const keys = open({ cooldownMs: 0 });
    expect(await keys.find("ed")).toMatchObject({ algorithm: "EdDSA" });
    expect(await keys.find(undefined)).toMatchObject({ algorithm: "EdDSA" });
    expect(await keys.find("bad")).toBeUndefined();
    expect(issuer.requests()).toBe(2);
    const warnings = keys.lines.filter(({ level }) => level === 40);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.["reason"]).toMatch(reason);
  });

  it("two keys under one kid spoil it all", async () => {
    issuer.publish(ES256, { ...ED, kid: "es" });
    await expectUnavailable(open().find("es"), /several keys/);
  });

  it("what can't be used doesn't count as a second key", async () => {
    issuer.publish(ES256, { ...rsa, kid: "es", use: "enc" });
    expect(await open().find("es")).toMatchObject({ algorithm: "ES256" });
  });
});

describe("a key without alg", () => {
  const find = async (jwk: JsonWebKey, algorithms: readonly IssuerAlgorithm[]) => {
    issuer.publish({ ...jwk, kid: "it", alg: undefined });
    const keys = open({}, algorithms);
    return { key: await keys.find("it"), lines: keys.lines };
  };

  it("is for the one algorithm of its issuer that fits it", async () => {
    expect((await find(jwkOf(pairs.RSA), ["PS384", "ES256"])).key?.algorithm).toBe("PS384");
    expect((await find(ES256, ["PS384", "ES256", "ES384"])).key?.algorithm).toBe("ES256");
    expect((await find(jwkOf(pairs["P-384"]), ASYMMETRIC)).key?.algorithm).toBe("ES384");
    expect((await find(jwkOf(pairs["P-521"]), ASYMMETRIC)).key?.algorithm).toBe("ES512");
    expect((await find(ED, ASYMMETRIC)).key?.algorithm).toBe("EdDSA");
  });

  it("is for none if several fit, which is said", async () => {
    const { key, lines } = await find(jwkOf(pairs.RSA), ["RS256", "PS256"]);
    expect(key).toBeUndefined();
    expect(lines.at(-1)?.["reason"]).toBe("it could be for RS256 or PS256, and doesn't say which");
  });

  it("is for none if none fits", async () => {
    expect((await find(jwkOf(pairs.RSA), ["ES256", "EdDSA"])).key).toBeUndefined();
  });
});

/** A number that is a power of 65537 modulo each of the first primes, as those chips' moduli are; that it is no product doesn't show. */
function rocaModulus(): bigint {
  const primes = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
  ];
  const product = [...primes, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167].reduce(
    (all, prime) => all * BigInt(prime),
    1n,
  );
  return (65_537n ** 12n % product) + product * ((1n << 2048n) / product - 1n);
}
