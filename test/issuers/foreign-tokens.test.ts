import { createHash, createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { CurfewError, type ErrorCode } from "../../src/errors";
import { keyIdOf } from "../../src/issuers/foreign-ids";
import { createForeignTokens, type Claimed } from "../../src/issuers/foreign-tokens";
import { ASYMMETRIC, readPublicKey, type IssuerAlgorithm } from "../../src/issuers/issuer-keys";
import type { TrustedIssuer } from "../../src/issuers/trusted-issuer";
import { DAY, flips } from "../helpers/access-tokens";
import { jwkOf, keepLog, pairs, pemOf, SIGNING, startIssuer } from "../helpers/issuer";
import { encode, forge, hmacSigner, keySigner, malleate, type Signer } from "../helpers/jws";
import { SECRET } from "../helpers/service";

type Json = Record<string, unknown>;
type Foreign = ReturnType<typeof createForeignTokens>;
type Verified = ReturnType<Claimed["verify"]>;

const NOW = 1_900_000_000;
const HOUR = 3600;
const DAY_MS = DAY * 1000;
const ISS = "https://clerk.example.com";
const CLAIMS = {
  iss: ISS,
  aud: "api",
  sub: "user_1",
  sid: "sess_1",
  jti: "jti_1",
  iat: NOW - 60,
  exp: NOW + 600,
};

const ACME: TrustedIssuer = {
  name: "acme",
  issuer: ISS,
  keys: readPublicKey(pemOf(pairs.RSA), ["RS256"]),
  audience: ["api"],
  logoutAudience: ["api"],
  algorithms: ["RS256"],
  typ: undefined,
  claims: { subject: "sub", session: "sid", tokenId: "jti" },
  required: [],
  clockLeadSeconds: 5,
  maxLifetimeSeconds: DAY,
  sinceEpoch: true,
};

const opened: Foreign[] = [];
function trust(...issuers: Partial<TrustedIssuer>[]) {
  return trustWithin(0, ...issuers);
}

function trustWithin(clockToleranceSeconds: number, ...issuers: Partial<TrustedIssuer>[]) {
  const tokens = createForeignTokens(
    issuers.map((each) => ({ ...ACME, ...each })),
    { clockToleranceSeconds, log: keepLog().log },
  );
  opened.push(tokens);
  return {
    issuerOf: (token: string) => tokens.claimsToBeFrom(token)?.issuer.name,
    async verify(token: string, options?: { allowExpired: boolean }): Verified {
      const claimed = tokens.claimsToBeFrom(token);
      if (!claimed) throw new CurfewError("token_invalid");
      return claimed.verify(options);
    },
  };
}

const issuerWith = (algorithm: IssuerAlgorithm, verifyWith: KeyObject): Partial<TrustedIssuer> => ({
  algorithms: [algorithm],
  keys: { algorithm, verifyWith },
});

/** The time stands still; what waits for a network doesn't. */
let now = NOW;
beforeEach(() => {
  now = NOW;
  jest.spyOn(Date, "now").mockImplementation(() => now * 1000);
});
afterEach(() => {
  jest.restoreAllMocks();
  for (const tokens of opened.splice(0)) tokens.close();
});

const signerOf = (alg: keyof typeof SIGNING | "HS256"): Signer =>
  alg === "HS256" ? hmacSigner(SECRET) : SIGNING[alg].signer;
const sign = (claims: Json = {}, header: Json = {}, alg: keyof typeof SIGNING | "HS256" = "RS256") =>
  forge({ alg, typ: "JWT", ...header }, { ...CLAIMS, ...claims }, signerOf(alg));
const genuine = sign();
const [headerPart = "", claimsPart = ""] = genuine.split(".");

const MESSAGES: Partial<Record<ErrorCode, string>> = {
  token_invalid: "The access token is not valid.",
  token_expired: "The access token has expired.",
};

async function expectRefused(promise: Promise<unknown>, code: ErrorCode = "token_invalid"): Promise<void> {
  const refusal: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refusal).toBeInstanceOf(CurfewError);
  expect(refusal).toMatchObject({ code, message: MESSAGES[code], details: undefined });
}

/** Each refusal stands beside its control: the genuine token, at the same issuer. */
function itRefuses(cases: [title: string, token: () => string][], code: ErrorCode = "token_invalid"): void {
  it.each(cases)("refuses %s", async (_title, token) => {
    const tokens = trust({});
    await expectRefused(tokens.verify(token()), code);
    expect(await tokens.verify(genuine)).toMatchObject({ issuer: "acme", sub: "user_1" });
  });
}

const sha256 = (text: string) => `sha256-${createHash("sha256").update(text).digest("hex")}`;

describe("a genuine token", () => {
  it("is told with the names under which it is denied, and with all its claims", async () => {
    expect(await trust({}).verify(sign({ org: { id: 5 } }))).toEqual({
      kind: "foreign",
      issuer: "acme",
      iss: ISS,
      sub: "user_1",
      jti: "jti_1",
      sid: "sess_1",
      keyIds: { sub: "user_1", jti: "jti_1", sid: "sess_1" },
      iat: NOW - 60,
      exp: NOW + 600,
      sinceEpoch: true,
      clockLeadSeconds: 5,
      maxLifetimeSeconds: DAY,
      claims: { ...CLAIMS, org: { id: 5 } },
    });
  });

  it.each(ASYMMETRIC)("is accepted when signed with %s", async (alg) => {
    const tokens = trust({ algorithms: [alg], keys: readPublicKey(pemOf(SIGNING[alg].pair), [alg]) });
    expect(await tokens.verify(sign({}, {}, alg))).toMatchObject({ sub: "user_1" });
    const another = alg === "RS256" ? "PS256" : "RS256";
    await expectRefused(tokens.verify(sign({}, {}, another)));
    await expectRefused(tokens.verify(sign({}, { alg }, another)));
  });

  it.each([
    ["HS256", "sha256"],
    ["HS384", "sha384"],
    ["HS512", "sha512"],
  ] as const)("is accepted when signed with %s", async (alg, hash) => {
    const tokens = trust(issuerWith(alg, createSecretKey(Buffer.from(SECRET))));
    const signed = (with_: string) => forge({ alg }, CLAIMS, hmacSigner(with_, hash));
    expect(await tokens.verify(signed(SECRET))).toMatchObject({ sub: "user_1" });
    for (const secret of ["", `${SECRET}x`, "acme"]) await expectRefused(tokens.verify(signed(secret)));
  });

  it("is accepted whatever its kid, where the issuer's one key has no name", async () => {
    expect(await trust({}).verify(sign({}, { kid: "ins_2abc" }))).toMatchObject({ sub: "user_1" });
  });

  it("may be written as its issuer likes", async () => {
    const spelled = (text: string) => forge({ alg: "RS256" }, text, signerOf("RS256"));
    const tokens = trust({});
    const text = JSON.stringify({ ...CLAIMS, n: "é<&>", "{": '}":', list: [{ sub: 1 }, { sub: 2 }] });
    for (const other of [
      JSON.stringify(JSON.parse(text), undefined, 2),
      text.replaceAll("/", "\\/").replace("é<&>", "\\u00e9\\u003c\\u0026\\u003e"),
      text.replace(`${CLAIMS.exp}`, `${CLAIMS.exp}.0`),
    ]) {
      expect((await tokens.verify(spelled(other))).claims).toEqual(JSON.parse(text));
    }
  });

  it("may have ids of any kind, which appear in keys as a digest then, and nowhere else", async () => {
    const ids = { sub: "auth0|5f7c", jti: "sha256-a/b", sid: "x".repeat(129) };
    expect(await trust({}).verify(sign(ids))).toMatchObject({
      ...ids,
      keyIds: { sub: sha256(ids.sub), jti: sha256(ids.jti), sid: sha256(ids.sid) },
    });
  });

  it("is known without a jti by what was signed, whichever of its signatures comes with it", async () => {
    const token = sign({ jti: undefined, sid: undefined }, {}, "ES256");
    const tokens = trust(issuerWith("ES256", pairs["P-256"].publicKey));
    const [first, second] = [await tokens.verify(token), await tokens.verify(malleate(token))];
    expect(first.jti).toBe(sha256(token.slice(0, token.lastIndexOf("."))));
    expect(second.jti).toBe(first.jti);
    expect(first.keyIds).toEqual({ sub: "user_1", jti: first.jti, sid: undefined });
    expect(first.sid).toBeUndefined();
  });
});

describe("keyIdOf", () => {
  it.each(["a", "A-Za.z0_9~", "x".repeat(128), "sha256", "sha256_x", "3f2b8c1e-7d4a-4e9b-a6c5-0d8f1b2e7a94"])(
    "leaves %s as it is",
    (id) => {
      expect(keyIdOf(id)).toBe(id);
    },
  );

  it.each([
    "a b",
    "a:b",
    "a|b",
    "é",
    "a\n",
    "*",
    "x".repeat(129),
    "sha256-",
    sha256("a"),
    "{tag}",
    "__proto__\0",
  ])("makes a digest of %j", (id) => {
    expect(keyIdOf(id)).toBe(sha256(id));
  });
});

describe("claimsToBeFrom", () => {
  it("tells the issuer by the claim alone, without looking at header or signature", () => {
    const tokens = trust({}, { name: "other", issuer: "https://other.example" });
    expect(tokens.issuerOf(genuine)).toBe("acme");
    expect(tokens.issuerOf(sign({ iss: "https://other.example" }))).toBe("other");
    expect(tokens.issuerOf(`x.${claimsPart}.AAAA`)).toBe("acme");
  });

  it.each<[string, string]>([
    ["an issuer that isn't trusted", sign({ iss: "https://evil.example" })],
    ["the issuer in other letters", sign({ iss: ISS.toUpperCase() })],
    ["the issuer with a slash more", sign({ iss: `${ISS}/` })],
    ["an issuer in a list", sign({ iss: [ISS] })],
    ["no issuer", sign({ iss: undefined })],
    ["__proto__ for an issuer", sign({ iss: "__proto__" })],
    ["an issuer and another one", forge({}, `{"iss":"${ISS}","iss":"https://evil.example"}`, SECRET)],
    ["an issuer further in", forge({}, { a: { iss: ISS } }, SECRET)],
    ["claims that are no JSON", forge({}, `{"iss":"${ISS}"`, SECRET)],
    ["an issuer that is inherited", forge({}, `{"__proto__":{"iss":"${ISS}"}}`, SECRET)],
    ["more than 8 KiB", sign({ padding: "x".repeat(8000) })],
    ["two parts", `${headerPart}.${claimsPart}`],
    ["four parts", `${genuine}.AAAA`],
    ["a list of claims", forge({}, [{ iss: ISS }], SECRET)],
    ["nothing", ""],
  ])("is nobody for %s", async (_title, token) => {
    const tokens = trust({});
    expect(tokens.issuerOf(token)).toBeUndefined();
    await expectRefused(tokens.verify(token));
  });

  it("finds the issuer however it is written", () => {
    const spelled = (text: string) => trust({}).issuerOf(forge({}, text, SECRET));
    const escaped = Array.from(ISS, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join("");
    for (const text of [`{"iss":"${ISS.replaceAll("/", "\\/")}"}`, `{ "i\\u0073s" : "${escaped}" }`]) {
      expect(spelled(text)).toBe("acme");
    }
  });

  it("is nobody if nobody is trusted", async () => {
    expect(trust().issuerOf(genuine)).toBeUndefined();
    await expectRefused(trust().verify(genuine));
  });
});

describe("the form of a token", () => {
  const withPart = (part: number, change: (text: string) => string) => {
    const parts = genuine.split(".");
    parts[part] = change(parts[part] ?? "");
    return parts.join(".");
  };
  const raw = (header: string | Buffer, claims: string | Buffer) => () =>
    forge(header, claims, signerOf("RS256"));
  const [header, claims] = [JSON.stringify({ alg: "RS256" }), JSON.stringify(CLAIMS)];

  itRefuses([
    ["more than 8 KiB", () => sign({ padding: "x".repeat(6000) })],
    ["70 KB of dots", () => ".".repeat(70_000)],
  ]);

  itRefuses(
    [0, 1, 2].flatMap((part) =>
      ["=", "!!!!", " ", "\n", "é", "A"].map((suffix): [string, () => string] => [
        `${JSON.stringify(suffix)} after part ${part}`,
        () => withPart(part, (text) => text + suffix),
      ]),
    ),
  );

  itRefuses([
    ["a header that is a list", raw("[]", claims)],
    ["a header that is null", raw("null", claims)],
    ["a header that is text", raw('"x"', claims)],
    ["a header that is empty", raw("{}", claims)],
    ["a header with a byte order mark", raw(`\ufeff${header}`, claims)],
    ["a header that isn't UTF-8", raw(Buffer.from('{"alg":"RS256","x":"\xff"}', "latin1"), claims)],
    ["a header with two algs", raw('{"alg":"none","alg":"RS256"}', claims)],
    ["a header with two algs, one written otherwise", raw('{"\\u0061lg":"none","alg":"RS256"}', claims)],
    ["a header with __proto__", raw('{"alg":"RS256","__proto__":{}}', claims)],
    ["claims with two issuers", raw(header, claims.replace("{", `{"iss":"${ISS}",`))],
    ["claims with two issuers, the last one ours to judge", raw(header, claims.replace("{", '{"iss":"x",'))],
    ["claims with two subjects", raw(header, claims.replace("{", '{"sub":"x",'))],
    ["claims with two names further in", raw(header, claims.replace("{", '{"a":[{"b":1,"b" : 2}],'))],
    ["claims with __proto__ further in", raw(header, claims.replace("{", '{"a":{"__proto__":1},'))],
    ["claims with a byte order mark", raw(header, `\ufeff${claims}`)],
    ["claims that aren't UTF-8", raw(header, Buffer.from(claims.replace("{", '{"x":"\xff",'), "latin1"))],
  ]);
});

describe("the work for a token that isn't genuine", () => {
  it("is no more than to find out whose it claims to be, until its signature holds", async () => {
    const read = jest.spyOn(TextDecoder.prototype, "decode");
    await expectRefused(trust({}).verify(`${headerPart}.${claimsPart}.${"A".repeat(342)}`));
    expect(read).not.toHaveBeenCalled();
    await trust({}).verify(genuine);
    expect(read).toHaveBeenCalledTimes(2);
  });

  it("is less for one that names no trusted issuer: it isn't parsed", () => {
    const parse = jest.spyOn(JSON, "parse");
    const issuer = trust({}).issuerOf(sign({ iss: "https://evil.example" }));
    expect(parse).not.toHaveBeenCalled();
    expect(issuer).toBeUndefined();
  });
});

describe("algorithm and key", () => {
  itRefuses(
    ["none", "None", "NONE", "nOnE"].flatMap((alg): [string, () => string][] => [
      [`alg ${alg} without a signature`, () => forge({ alg }, CLAIMS, () => "")],
      [`alg ${alg} without the last dot`, () => forge({ alg }, CLAIMS, () => "").slice(0, -1)],
      [`alg ${alg} with a good signature`, () => sign({}, { alg })],
    ]),
  );

  itRefuses(
    ["rs256", "RS256 ", "RS256\0", "", null, 0, true, ["RS256"], {}, undefined].map((alg) => [
      `alg ${JSON.stringify(alg) as string | undefined}`,
      () => sign({}, { alg }),
    ]),
  );

  const { publicKey } = pairs.RSA;
  const jwk = publicKey.export({ format: "jwk" });
  const spki = pemOf(pairs.RSA);
  itRefuses(
    Object.entries<string | Buffer>({
      PEM: spki,
      "PEM without its last line break": spki.trimEnd(),
      "PEM behind a space": ` ${spki}`,
      "PKCS#1": publicKey.export({ type: "pkcs1", format: "pem" }),
      DER: publicKey.export({ type: "spki", format: "der" }),
      "base64 alone": spki.replace(/-----.*-----|\n/g, ""),
      "a JWK": JSON.stringify(jwk),
      "a JWK set": JSON.stringify({ keys: [jwk] }),
      "its modulus": String(jwk.n),
      nothing: "",
    }).flatMap(([title, secret]) =>
      (["sha256", "sha512"] as const).map((hash): [string, () => string] => [
        `HMAC (${hash}) with the public key for a secret: ${title}`,
        () => forge({ alg: hash.replace("sha", "HS") }, CLAIMS, hmacSigner(secret, hash)),
      ]),
    ),
  );

  it.each(["RS256", "ES256", "EdDSA"] as const)(
    "refuses a token of %s with any one bit flipped",
    async (alg) => {
      const tokens = trust({
        algorithms: [alg],
        keys: readPublicKey(pemOf(SIGNING[alg].pair), [alg]),
      });
      const token = sign({ jti: undefined, sid: undefined }, {}, alg);
      for (const flipped of flips(token)) await expect(tokens.verify(flipped)).rejects.toThrow(CurfewError);
      expect(await tokens.verify(token)).toMatchObject({ sub: "user_1" });
    },
  );

  it("refuses signatures of EdDSA and ES256 that are too short, too long or nothing", async () => {
    for (const alg of ["EdDSA", "ES256"] as const) {
      const tokens = trust({
        algorithms: [alg],
        keys: readPublicKey(pemOf(SIGNING[alg].pair), [alg]),
      });
      for (const bytes of [1, 32, 63, 64, 65, 128]) {
        await expectRefused(tokens.verify(forge({ alg }, CLAIMS, () => encode(Buffer.alloc(bytes)))));
      }
    }
  });

  itRefuses(
    [null, 0, true, ["x"], { toString: "x" }].map((kid) => [
      `kid ${JSON.stringify(kid)}`,
      () => sign({}, { kid }),
    ]),
  );

  const attacker = generateKeyPairSync("rsa", { modulusLength: 2048 });
  itRefuses([
    ...["jku", "x5u"].map((name): [string, () => string] => [
      `a rightly signed token with ${name}`,
      () => sign({}, { [name]: "http://169.254.169.254/" }),
    ]),
    ["a rightly signed token with jwk", () => sign({}, { jwk })],
    ["a rightly signed token with x5c", () => sign({}, { x5c: ["MIIB"] })],
    [
      "a token that brings its own key",
      () => forge({ alg: "RS256", jwk: jwkOf(attacker) }, CLAIMS, keySigner(attacker.privateKey)),
    ],
  ]);

  itRefuses([
    ...[[], ["exp"], "exp", ["b64"], ["toString"], null].map((crit): [string, () => string] => [
      `crit ${JSON.stringify(crit)}`,
      () => sign({}, { crit }),
    ]),
  ]);
  itRefuses([
    ["b64 false", () => sign({}, { b64: false })],
    ["b64 true", () => sign({}, { b64: true, crit: ["b64"] })],
  ]);
  itRefuses([
    ["zip", () => sign({}, { zip: "DEF" })],
    ["enc", () => sign({}, { enc: "A256GCM" })],
    ["cty", () => sign({}, { cty: "JWT" })],
  ]);

  it("says of a forged token nothing but that, whatever else is wrong with it", async () => {
    const wrongs = [
      { exp: 1 },
      { aud: "x" },
      { sub: "" },
      { iat: "x" },
      { exp: undefined },
      { nbf: NOW + DAY },
    ];
    for (const wrong of wrongs) {
      const forged = forge({ alg: "RS256" }, { ...CLAIMS, ...wrong }, keySigner(attacker.privateKey));
      await expectRefused(trust({}).verify(forged));
      await expectRefused(trust({}).verify(forged, { allowExpired: true }));
    }
  });
});

describe("several issuers", () => {
  const OTHER = {
    name: "other",
    issuer: "https://other.example",
    ...issuerWith("EdDSA", pairs.Ed25519.publicKey),
  };
  const bySecret = {
    name: "backend",
    issuer: "fastapi",
    ...issuerWith("HS256", createSecretKey(Buffer.from(SECRET))),
  };

  it("each is believed only what its own key has signed", async () => {
    const tokens = trust({}, OTHER, bySecret);
    expect((await tokens.verify(sign({ iss: OTHER.issuer }, {}, "EdDSA"))).issuer).toBe("other");
    expect((await tokens.verify(sign({ iss: "fastapi" }, {}, "HS256"))).issuer).toBe("backend");
    for (const [iss, alg] of [
      [OTHER.issuer, "RS256"],
      ["fastapi", "RS256"],
      ["fastapi", "EdDSA"],
      [ISS, "EdDSA"],
      [ISS, "HS256"],
    ] as const) {
      await expectRefused(tokens.verify(sign({ iss }, {}, alg)));
    }
  });

  it("the same algorithm and the same kid don't make one's key the other's", async () => {
    const [one, two] = [await startIssuer(), await startIssuer()];
    const foreign = generateKeyPairSync("ed25519");
    one.publish(jwkOf(pairs.Ed25519, { kid: "k" }));
    two.publish(jwkOf(foreign, { kid: "k" }));
    const by = { algorithms: ["EdDSA" as const] };
    const tokens = trust(
      { ...by, keys: { jwksUri: one.uri } },
      { ...OTHER, ...by, keys: { jwksUri: two.uri } },
    );
    expect(await tokens.verify(sign({}, { kid: "k" }, "EdDSA"))).toMatchObject({ issuer: "acme" });
    await expectRefused(tokens.verify(sign({ iss: OTHER.issuer }, { kid: "k" }, "EdDSA")));
    await Promise.all([one.stop(), two.stop()]);
  });

  it("the same jti, sub and sid at two of them, or what looks like ours, are told with whose they are", async () => {
    const tokens = trust({}, OTHER);
    const more = { roles: ["ops"], role: "admin", epoch: "1-x", scope: "admin" };
    const [first, second] = [
      await tokens.verify(sign(more)),
      await tokens.verify(sign({ ...more, iss: OTHER.issuer }, {}, "EdDSA")),
    ];
    expect([first.jti, first.sub, first.sid]).toEqual([second.jti, second.sub, second.sid]);
    expect([first.issuer, second.issuer]).toEqual(["acme", "other"]);
    for (const name of ["roles", "role", "epoch", "scope"]) expect(first).not.toHaveProperty(name);
  });
});

describe("an issuer that publishes its keys", () => {
  const kids = { RS256: "r", PS256: "p", ES256: "e", EdDSA: "d" } as const;
  const algorithms = Object.keys(kids) as (keyof typeof kids)[];
  let issuer: Awaited<ReturnType<typeof startIssuer>>;
  beforeEach(async () => {
    issuer = await startIssuer();
    issuer.publish(...algorithms.map((alg) => jwkOf(SIGNING[alg].pair, { kid: kids[alg], alg, use: "sig" })));
  });
  afterEach(() => issuer.stop());
  const published = () => trust({ algorithms, keys: { jwksUri: issuer.uri } });

  it("signs with any of them, each with its own algorithm", async () => {
    const tokens = published();
    for (const alg of algorithms) {
      expect(await tokens.verify(sign({}, { kid: kids[alg] }, alg))).toMatchObject({ sub: "user_1" });
      for (const other of algorithms.filter((each) => each !== alg)) {
        await expectRefused(tokens.verify(sign({}, { kid: kids[other] }, alg)));
      }
    }
    expect(issuer.requests()).toBe(1);
  });

  it("refuses a token that is rightly signed, but names another algorithm of the issuer's", async () => {
    const tokens = published();
    for (const alg of algorithms) {
      for (const named of algorithms.filter((each) => each !== alg)) {
        await expectRefused(tokens.verify(sign({}, { kid: kids[alg], alg: named }, alg)));
      }
    }
  });

  const KIDS = [
    undefined,
    "",
    "R",
    "../../../../dev/null",
    "/dev/null",
    "x' UNION SELECT '1';--",
    "|sleep 10",
    "__proto__",
    "constructor",
    "r\0",
    "k".repeat(5000),
    null,
    0,
    ["r"],
    { r: 1 },
  ];
  it.each(KIDS)("refuses kid %j, signed with nothing or rightly", async (kid) => {
    const tokens = published();
    for (const alg of ["HS256", "RS256"]) {
      await expectRefused(tokens.verify(forge({ alg, kid }, CLAIMS, "")));
      await expectRefused(tokens.verify(forge({ alg, kid }, CLAIMS, "1")));
    }
    await expectRefused(tokens.verify(sign({}, { kid })));
    expect(await tokens.verify(sign({}, { kid: "r" }))).toMatchObject({ sub: "user_1" });
    expect(issuer.requests()).toBe(1);
  });

  it("withdraws a key, and then no token that it signed is good, not even one that is known", async () => {
    const limits = { timeoutMs: 3000, maxBytes: 65_536, cooldownMs: 0, refreshMs: DAY_MS, maxAgeMs: DAY_MS };
    const foreign = createForeignTokens([{ ...ACME, algorithms, keys: { jwksUri: issuer.uri } }], {
      ...{ clockToleranceSeconds: 0, log: keepLog().log, limits },
    });
    opened.push(foreign);
    const verify = async (token: string) => foreign.claimsToBeFrom(token)?.verify();
    const known = sign({}, { kid: "r" });
    expect(await verify(known)).toMatchObject({ sub: "user_1" });
    issuer.publish(jwkOf(pairs.Ed25519, { kid: "next", alg: "EdDSA" }));
    expect(await verify(sign({}, { kid: "next" }, "EdDSA"))).toMatchObject({ sub: "user_1" });
    await expectRefused(verify(known));
  });

  it("is asked alone, whatever a token names", async () => {
    const attacker = await startIssuer();
    attacker.publish(jwkOf(pairs.RSA, { kid: "evil" }));
    const tokens = published();
    for (const name of ["jku", "x5u"]) {
      await expectRefused(tokens.verify(sign({}, { kid: "evil", [name]: attacker.uri })));
      await expectRefused(tokens.verify(sign({}, { kid: "r", [name]: attacker.uri })));
    }
    await expectRefused(tokens.verify(sign({ iss: attacker.uri }, { kid: "evil" })));
    expect(attacker.requests()).toBe(0);
    await attacker.stop();
  });

  it("refuses HMAC with a published key, though that is all that anybody knows of it", async () => {
    const tokens = published();
    const jwk = JSON.stringify(jwkOf(pairs.RSA, { kid: "r", alg: "RS256", use: "sig" }));
    for (const secret of [jwk, pemOf(pairs.RSA)]) {
      await expectRefused(tokens.verify(forge({ alg: "HS256", kid: "r" }, CLAIMS, secret)));
    }
  });

  it("can't be judged while its keys can't be had, and others can", async () => {
    issuer.answer((_req, res) => res.writeHead(500).end());
    const other = { name: "other", issuer: "https://other.example" };
    const tokens = trust({ algorithms, keys: { jwksUri: issuer.uri } }, other);
    const refusal: unknown = await tokens.verify(sign({}, { kid: "r" })).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "issuer_unavailable", about: { issuer: "acme" } });
    await expectRefused(tokens.verify(sign({}, { kid: "r", alg: "none" })));
    expect(await tokens.verify(sign({ iss: other.issuer }))).toMatchObject({ issuer: "other" });
  });
});

describe("claims", () => {
  const NOT_NUMBERS = [undefined, null, "1900000600", true, [], {}];

  itRefuses([
    ...["[]", '"s"', "1", "null", "{}", "x", ""].map((text): [string, () => string] => [
      `the claims ${text}`,
      () => forge({ alg: "RS256" }, text, signerOf("RS256")),
    ]),
  ]);

  itRefuses([
    ...NOT_NUMBERS.map((exp): [string, () => string] => [
      `exp ${JSON.stringify(exp) as string | undefined}`,
      () => sign({ exp }),
    ]),
    [
      "exp 1e999",
      () =>
        forge({ alg: "RS256" }, JSON.stringify(CLAIMS).replace(`${CLAIMS.exp}`, "1e999"), signerOf("RS256")),
    ],
    ["exp 1e20", () => sign({ exp: 1e20 })],
  ]);
  itRefuses(
    [
      ["exp 0", () => sign({ exp: 0 })],
      ["exp -1", () => sign({ exp: -1 })],
    ],
    "token_expired",
  );

  it("refuses an exp that no entry could live to, also for a logout", async () => {
    await expectRefused(trust({}).verify(sign({ exp: 1e20 }), { allowExpired: true }));
  });

  it("are the caller's own to change, but for what is nested in them, which nobody can", async () => {
    const tokens = trust({});
    const token = sign({ permissions: ["read"] });
    const { claims, keyIds } = await tokens.verify(token);
    expect(() => (claims["permissions"] as string[]).push("write")).toThrow(TypeError);
    Object.assign(claims, { permissions: ["write"], sub: "user_2" });
    keyIds.sub = "user_2";
    const again = await tokens.verify(token);
    expect(again.claims).toMatchObject({ permissions: ["read"], sub: "user_1" });
    expect(again.keyIds.sub).toBe("user_1");
  });

  it("refuses a token that lives longer than its issuer's may", async () => {
    const tokens = trust({ maxLifetimeSeconds: HOUR });
    expect(await tokens.verify(sign({ iat: NOW, exp: NOW + HOUR }))).toMatchObject({
      maxLifetimeSeconds: HOUR,
    });
    const long = sign({ iat: NOW, exp: NOW + HOUR + 1 });
    await expectRefused(tokens.verify(long));
    expect(await tokens.verify(long, { allowExpired: true })).toMatchObject({ exp: NOW + HOUR + 1 });
    await expectRefused(tokens.verify(long));
  });

  it("refuses a token from its exp on, with the tolerance behind it, unless that is allowed", async () => {
    const tokens = trustWithin(5, {});
    now = CLAIMS.exp + 4.999;
    expect(await tokens.verify(genuine)).toMatchObject({ exp: CLAIMS.exp });
    now = CLAIMS.exp + 5;
    await expectRefused(tokens.verify(genuine), "token_expired");
    expect(await tokens.verify(genuine, { allowExpired: true })).toMatchObject({ exp: CLAIMS.exp });
  });

  itRefuses([
    ["nbf a second ahead", () => sign({ nbf: NOW + 1 })],
    ["nbf that is text", () => sign({ nbf: "0" })],
    ["nbf that is null", () => sign({ nbf: null })],
  ]);

  itRefuses([
    ...NOT_NUMBERS.map((iat): [string, () => string] => [
      `iat ${JSON.stringify(iat) as string | undefined}`,
      () => sign({ iat }),
    ]),
    ["iat further ahead than its issuer's clock may be", () => sign({ iat: NOW + 5.001 })],
    ["iat a year ahead", () => sign({ iat: NOW + 365 * DAY, exp: NOW + 366 * DAY })],
  ]);

  it("accepts nbf ahead by the tolerance, and no more", async () => {
    const tokens = trustWithin(5, {});
    expect(await tokens.verify(sign({ nbf: NOW + 5 }))).toMatchObject({ sub: "user_1" });
    await expectRefused(tokens.verify(sign({ nbf: NOW + 5.001 })));
  });

  it("accepts nbf now, and iat ahead by its issuer's clock_lead, because clocks differ", async () => {
    expect(await trust({}).verify(sign({ nbf: NOW, iat: NOW + 5 }))).toMatchObject({ iat: NOW + 5 });
    const ahead = trust({ clockLeadSeconds: 30 });
    expect(await ahead.verify(sign({ iat: NOW + 30 }))).toMatchObject({ iat: NOW + 30 });
    await expectRefused(ahead.verify(sign({ iat: NOW + 31 })));
  });

  itRefuses([
    ...["x", "API", ["x"], [], [["api"]], undefined, null, { api: 1 }].map((aud): [string, () => string] => [
      `aud ${JSON.stringify(aud) as string | undefined}`,
      () => sign({ aud }),
    ]),
  ]);

  it("aud may be a list, and anything where the issuer's audience is null", async () => {
    expect(await trust({}).verify(sign({ aud: ["x", "api"] }))).toMatchObject({ sub: "user_1" });
    for (const aud of [undefined, "x", [], 5]) {
      expect(await trust({ audience: null }).verify(sign({ aud }))).toMatchObject({ sub: "user_1" });
    }
  });

  const HALF = "\ud800";
  itRefuses([
    ...[undefined, null, "", 5, true, ["a"], {}, HALF].map((sub): [string, () => string] => [
      `sub ${JSON.stringify(sub) as string | undefined}`,
      () => sign({ sub }),
    ]),
    ...[null, "", 5, ["a"], HALF].flatMap((id): [string, () => string][] => [
      [`jti ${JSON.stringify(id)}`, () => sign({ jti: id })],
      [`sid ${JSON.stringify(id)}`, () => sign({ sid: id })],
    ]),
  ]);
});

describe("typ", () => {
  const withTyp = (typ: unknown) => sign({}, { typ });

  it("may be any but ours and a logout token's, or be missing, where nothing is configured", async () => {
    const tokens = trust({});
    for (const typ of ["JWT", "jwt", "application/jwt", "", undefined]) {
      expect(await tokens.verify(withTyp(typ))).toMatchObject({ sub: "user_1" });
    }
    for (const typ of [
      "at+jwt",
      "AT+JWT",
      "application/at+jwt",
      "Application/AT+jwt",
      "logout+jwt",
      "application/logout+JWT",
      null,
      5,
      ["JWT"],
      {},
    ]) {
      await expectRefused(tokens.verify(withTyp(typ)));
    }
  });

  it("must be the configured one, written as any media type may be", async () => {
    const tokens = trust({ typ: ["at+jwt"] });
    for (const typ of ["at+jwt", "AT+JWT", "application/at+jwt"]) {
      expect(await tokens.verify(withTyp(typ))).toMatchObject({ sub: "user_1" });
    }
    for (const typ of ["JWT", "", undefined, null, ["at+jwt"]])
      await expectRefused(tokens.verify(withTyp(typ)));
  });

  it("may be missing where null is one of those configured, but no other passes for that", async () => {
    const tokens = trust({ typ: ["at+jwt", null] });
    for (const typ of ["at+jwt", undefined]) {
      expect(await tokens.verify(withTyp(typ))).toMatchObject({ sub: "user_1" });
    }
    for (const typ of ["JWT", "", null, "null", "logout+jwt", [null]])
      await expectRefused(tokens.verify(withTyp(typ)));
  });
});

/** Which claim is wrong, as the log has it; undefined if the token is accepted. */
const ruleOf = (verified: Verified) =>
  verified.then(
    () => undefined,
    (error: unknown) => (error as CurfewError).rule,
  );

describe("what an entry says of its issuer's tokens", () => {
  it("one of several audiences, and one of several types", async () => {
    const tokens = trust({ audience: ["api", "app"], typ: ["JWT", "at+jwt"] });
    for (const token of [
      sign(),
      sign({ aud: "app" }, { typ: "application/at+jwt" }),
      sign({ aud: ["x", "app"] }),
    ]) {
      expect(await tokens.verify(token)).toMatchObject({ sub: "user_1" });
    }
    expect(await ruleOf(tokens.verify(sign({ aud: "x" })))).toBe("aud");
    expect(await ruleOf(tokens.verify(sign({}, { typ: "logout+jwt" })))).toBe("typ");
  });

  it("the claims in which session, id and subject stand", async () => {
    const tokens = trust({ claims: { subject: "oid", session: "session_id", tokenId: "uti" } });
    const ids = { oid: "o", session_id: "s", uti: "u" };
    expect(await tokens.verify(sign(ids))).toMatchObject({ sub: "o", sid: "s", jti: "u" });
    const lone = sign({ oid: "o" });
    expect(await tokens.verify(lone)).toMatchObject({
      sid: undefined,
      jti: sha256(lone.slice(0, lone.lastIndexOf("."))),
    });
    expect(await ruleOf(tokens.verify(sign()))).toBe("oid");
    expect(await ruleOf(tokens.verify(sign({ ...ids, session_id: 5 })))).toBe("session_id");
    expect(await ruleOf(tokens.verify(sign({ ...ids, uti: "" })))).toBe("uti");
  });

  it("no claim that every object has", async () => {
    const tokens = trust({ claims: { subject: "constructor", session: "sid", tokenId: "jti" } });
    expect(await ruleOf(tokens.verify(genuine))).toBe("constructor");
  });

  it("claims that they must have, whatever kind of value, also one of a list", async () => {
    const tokens = trust({
      required: [
        { claim: "azp", values: ["web", "app"] },
        { claim: "ver", values: [2] },
        { claim: "guest", values: [false] },
      ],
    });
    const good = { azp: "app", ver: 2, guest: false };
    expect(await tokens.verify(sign(good))).toMatchObject({ sub: "user_1" });
    expect(await tokens.verify(sign({ ...good, azp: ["x", "web"] }))).toMatchObject({ sub: "user_1" });
    for (const azp of [undefined, "x", [], null, { web: 1 }, [["web"]]])
      expect(await ruleOf(tokens.verify(sign({ ...good, azp })))).toBe("require.azp");
    expect(await ruleOf(tokens.verify(sign({ ...good, ver: "2" })))).toBe("require.ver");
    expect(await ruleOf(tokens.verify(sign({ ...good, guest: true })))).toBe("require.guest");
    await expectRefused(tokens.verify(sign({ ...good, azp: "x" }), { allowExpired: true }));
  });

  it("Ed25519, by either of its names", async () => {
    const tokens = trust({ algorithms: ["EdDSA"], keys: readPublicKey(pemOf(pairs.Ed25519), ["EdDSA"]) });
    for (const alg of ["EdDSA", "Ed25519"])
      expect(await tokens.verify(sign({}, { alg }, "EdDSA"))).toMatchObject({ sub: "user_1" });
    await expectRefused(tokens.verify(sign({}, { alg: "Ed448" }, "EdDSA")));
  });

  it("nothing that would make a logout token an access token", async () => {
    const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
    expect(await ruleOf(trust({}).verify(sign({ events })))).toBe("events");
    expect(await trust({}).verify(sign({ events: { other: {} } }))).toMatchObject({ sub: "user_1" });
  });
});
