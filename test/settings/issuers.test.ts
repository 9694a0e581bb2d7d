import { generateKeyPairSync } from "node:crypto";
import { createForeignTokens } from "../../src/issuers/foreign-tokens";
import { readPrivateKey, readSecret } from "../../src/keys/keys";
import { ASYMMETRIC } from "../../src/issuers/issuer-keys";
import { readListedIssuers } from "../../src/settings/issuers";
import { keepLog, pairs, pemOf, SIGNING } from "../helpers/issuer";
import { forge, hmacSigner } from "../helpers/jws";
import { SECRET } from "../helpers/service";

type Json = Record<string, unknown>;

const OWN_SECRET = "tR5mWq8Zx2LvNc7KpHd3GyBs9JfUa4Eo6QiTzXnMhVw";
const env = {
  BACKEND_SECRET: SECRET,
  JWT_SECRET: OWN_SECRET,
  COPY: OWN_SECRET,
  SHORT: "q7Xw2Lp",
  EMPTY: "",
  DEFAULT: "change-me".repeat(5),
};
const { privateKey } = pairs.RSA;
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
const files: Record<string, string> = {
  "rsa.pem": pemOf(pairs.RSA),
  "pkcs1.pem": pairs.RSA.publicKey.export({ type: "pkcs1", format: "pem" }).toString(),
  "ed25519.pem": pemOf(pairs.Ed25519),
  "private.pem": privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  "weak.pem": pemOf(weak),
  "p256k.pem": pemOf(generateKeyPairSync("ec", { namedCurve: "secp256k1" })),
  "pss.pem": pemOf(generateKeyPairSync("rsa-pss", { modulusLength: 2048 })),
  "garbage.pem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
  "secret.txt": SECRET,
};

function readFile(name: string): string {
  const text = files[name];
  if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
  return text;
}

const CLERK = {
  name: "clerk",
  issuer: "https://clerk.example.com",
  jwks_uri: "https://clerk.example.com/.well-known/jwks.json",
  audience: null,
  algorithms: ["RS256"],
};
const BACKEND = {
  name: "backend",
  issuer: "fastapi",
  secret_env: "BACKEND_SECRET",
  audience: "api",
  algorithms: ["HS256"],
};
const BY_FILE = { ...CLERK, jwks_uri: undefined, public_key_file: "rsa.pem" };

const ownPairs = [
  generateKeyPairSync("rsa", { modulusLength: 2048 }),
  generateKeyPairSync("ec", { namedCurve: "P-256" }),
];
const ownKeys = [
  ...ownPairs.map((pair) =>
    readPrivateKey(pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
  ),
  readSecret(OWN_SECRET),
];
for (const [at, pair] of ownPairs.entries()) files[`own-${at}.pem`] = pemOf(pair);

/** Throws, with a line for each problem, where there is one. */
function readText(text: string, production = true) {
  const surroundings = { production, ownIssuer: "curfew", ownKeys, env, readFile };
  const { issuers, problems } = readListedIssuers(text, surroundings);
  if (problems.length === 0) return issuers;
  throw new TypeError(problems.map(({ found, write }) => `${found}, write ${write}`).join("\n"));
}
const read = (...issuers: unknown[]) => readText(JSON.stringify(issuers));
const readOutsideProduction = (...issuers: unknown[]) => readText(JSON.stringify(issuers), false);

function problemsOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    const { message } = error as TypeError;
    for (const secret of [
      ...Object.values(env).filter((value) => value !== ""),
      "hunter2",
      ...Object.values(files),
    ]) {
      expect(message).not.toContain(secret);
    }
    return message.split("\n");
  }
  return [];
}

/** One thing is wrong, and the one line says where, what, and what to write instead. */
function expectProblem(act: () => unknown, place: string, found: RegExp): void {
  const problems = problemsOf(act);
  expect(problems).toHaveLength(1);
  const [, at, what] = /^(\[.*?\](?:\.\w+)?): (.+), write .+$/.exec(problems[0] ?? "") ?? [];
  expect(at).toBe(place);
  expect(what).toMatch(found);
}

describe("the issuers file", () => {
  it("reads every issuer, with what isn't said by default", () => {
    const issuers = read(CLERK, {
      ...BACKEND,
      typ: "at+jwt",
      clock_lead: "30s",
      max_lifetime: "90m",
      since_epoch: false,
    });
    expect(issuers).toEqual([
      {
        name: "clerk",
        issuer: "https://clerk.example.com",
        keys: { jwksUri: "https://clerk.example.com/.well-known/jwks.json" },
        audience: null,
        logoutAudience: null,
        algorithms: ["RS256"],
        typ: undefined,
        claims: { subject: "sub", session: "sid", tokenId: "jti" },
        required: [],
        clockLeadSeconds: 5,
        maxLifetimeSeconds: 86_400,
        sinceEpoch: true,
      },
      {
        name: "backend",
        issuer: "fastapi",
        keys: { algorithm: "HS256", verifyWith: expect.anything() as object },
        audience: ["api"],
        logoutAudience: ["api"],
        algorithms: ["HS256"],
        typ: ["at+jwt"],
        claims: { subject: "sub", session: "sid", tokenId: "jti" },
        required: [],
        clockLeadSeconds: 30,
        maxLifetimeSeconds: 5400,
        sinceEpoch: false,
      },
    ]);
  });

  it("reads lists, the names of claims and what tokens must have", () => {
    const [issuer] = read({
      ...CLERK,
      audience: ["api", "app"],
      logout_audience: "app",
      typ: ["JWT", "at+jwt"],
      session_claim: "session_id",
      token_id_claim: "uti",
      subject_claim: "oid",
      require: { azp: "web", token_use: ["access", "id"], ver: 2, admin: false },
    });
    expect(issuer).toMatchObject({
      audience: ["api", "app"],
      logoutAudience: ["app"],
      typ: ["JWT", "at+jwt"],
      claims: { subject: "oid", session: "session_id", tokenId: "uti" },
      required: [
        { claim: "azp", values: ["web"] },
        { claim: "token_use", values: ["access", "id"] },
        { claim: "ver", values: [2] },
        { claim: "admin", values: [false] },
      ],
    });
    expect(read({ ...BACKEND, logout_audience: null })).toMatchObject([{ logoutAudience: null }]);
    expect(read({ ...BACKEND, typ: ["at+jwt", null] })).toMatchObject([{ typ: ["at+jwt", null] }]);
  });

  it("takes Ed25519 for EdDSA", () => {
    const ed = { ...BY_FILE, public_key_file: "ed25519.pem" };
    for (const algorithms of [["Ed25519"], ["EdDSA", "Ed25519"]]) {
      expect(read({ ...ed, algorithms })).toMatchObject([
        { algorithms: ["EdDSA"], keys: { algorithm: "EdDSA" } },
      ]);
    }
  });

  it("reads an empty list", () => {
    expect(read()).toEqual([]);
  });

  it("reads keys that hold for the issuer's tokens", async () => {
    const now = Math.floor(Date.now() / 1000);
    const issuers = read(
      BACKEND,
      { ...BY_FILE, name: "rsa", issuer: "rsa" },
      { ...BY_FILE, name: "pkcs1", issuer: "pkcs1", public_key_file: "pkcs1.pem", algorithms: ["PS256"] },
      { ...BY_FILE, name: "ed", issuer: "ed", public_key_file: "ed25519.pem", algorithms: ["EdDSA"] },
    );
    const tokens = createForeignTokens(issuers, { clockToleranceSeconds: 0, log: keepLog().log });
    for (const [iss, alg, signer] of [
      ["fastapi", "HS256", hmacSigner(SECRET)],
      ["rsa", "RS256", SIGNING.RS256.signer],
      ["pkcs1", "PS256", SIGNING.PS256.signer],
      ["ed", "EdDSA", SIGNING.EdDSA.signer],
    ] as const) {
      const token = forge({ alg }, { iss, aud: "api", sub: "1", iat: now, exp: now + 60 }, signer);
      expect(await tokens.claimsToBeFrom(token)?.verify()).toMatchObject({ iss, sub: "1" });
    }
    tokens.close();
  });

  it.each(ASYMMETRIC)("takes %s, alone and beside others that need no secret", (alg) => {
    expect(read({ ...CLERK, algorithms: [alg] })).toHaveLength(1);
    expect(read({ ...CLERK, algorithms: [alg, "ES256", "RS256"] })).toHaveLength(1);
  });
});

describe("refuses", () => {
  it.each<[string, Json, string, RegExp]>([
    ["no name", { name: undefined }, "name", /missing/],
    ["an empty name", { name: "" }, "name", /can't/],
    ["a name in capitals", { name: "Clerk" }, "name", /can't/],
    ["a name with a colon", { name: "a:b" }, "name", /can't/],
    ["a name of 33 letters", { name: "a".repeat(33) }, "name", /can't/],
    ["a name with a line break", { name: "clerk\n" }, "name", /can't/],
    ["a name that is a number", { name: 5 }, "name", /can't/],
    ["no issuer", { issuer: undefined }, "issuer", /missing/],
    ["an issuer with a space", { issuer: "a b" }, "issuer", /can't/],
    ["our own issuer", { issuer: "curfew" }, "issuer", /our own/],
    ["no audience", { audience: undefined }, "audience", /missing/],
    ["an empty audience", { audience: "" }, "audience", /can't/],
    ["an empty list of audiences", { audience: [] }, "audience", /can't/],
    ["a list with no audience in it", { audience: ["api", null] }, "audience", /can't/],
    ["an empty logout_audience", { logout_audience: [] }, "logout_audience", /can't/],
    ["a claim without a name", { session_claim: "" }, "session_claim", /can't/],
    ["two claims for the session", { session_claim: ["sid", "x"] }, "session_claim", /can't/],
    ["a claim that is a number", { token_id_claim: 5 }, "token_id_claim", /can't/],
    ["no claim for the subject", { subject_claim: null }, "subject_claim", /can't/],
    ["a list of what is required", { require: ["azp"] }, "require", /can't/],
    ["nothing that a claim must be", { require: { azp: null } }, "require", /can't/],
    ["an empty list of values", { require: { azp: [] } }, "require", /can't/],
    ["an object that a claim must be", { require: { azp: {} } }, "require", /can't/],
    ["no algorithms", { algorithms: undefined }, "algorithms", /missing/],
    ["an empty list of algorithms", { algorithms: [] }, "algorithms", /can't/],
    ["one algorithm without a list", { algorithms: "RS256" }, "algorithms", /can't/],
    ["the algorithm none", { algorithms: ["RS256", "none"] }, "algorithms", /can't/],
    ["an HS… beside others", { algorithms: ["RS256", "HS256"] }, "algorithms", /beside others/],
    ["an HS… with public keys", { algorithms: ["HS256"] }, "algorithms", /goes with jwks_uri/],
    ["an empty typ", { typ: "" }, "typ", /can't/],
    ["an empty list of typ", { typ: [] }, "typ", /can't/],
    ["null for typ, outside a list", { typ: null }, "typ", /can't/],
    ["a lifetime without a unit", { max_lifetime: "3600" }, "max_lifetime", /can't/],
    ["a lifetime that is a number", { max_lifetime: 3600 }, "max_lifetime", /can't/],
    ["a lead of 31 seconds", { clock_lead: "31s" }, "clock_lead", /can't/],
    ["a lead of nothing", { clock_lead: "0s" }, "clock_lead", /can't/],
    ["a lead that is a number", { clock_lead: 5 }, "clock_lead", /can't/],
    ["a lifetime of eleven years", { max_lifetime: "4015d" }, "max_lifetime", /can't/],
    ["since_epoch in words", { since_epoch: "false" }, "since_epoch", /can't/],
    ["a jwks_uri that is no URL", { jwks_uri: "clerk.example.com" }, "jwks_uri", /not an https URL/],
    ["a jwks_uri that is a number", { jwks_uri: 5 }, "jwks_uri", /can't/],
    ["a jwks_uri to a file", { jwks_uri: "file:///etc/passwd" }, "jwks_uri", /not an https URL/],
    ["a jwks_uri with data", { jwks_uri: "data:,{}" }, "jwks_uri", /not an https URL/],
    ["a jwks_uri with a password", { jwks_uri: "https://me:hunter2@example.com/" }, "jwks_uri", /user/],
    ["a jwks_uri with a user", { jwks_uri: "https://hunter2@example.com/" }, "jwks_uri", /user/],
    ["plain http in production", { jwks_uri: "http://127.0.0.1/" }, "jwks_uri", /production/],
  ])("%s", (_title, change, name, found) => {
    expectProblem(() => read({ ...BACKEND, name: "first" }, { ...CLERK, ...change }), `[1].${name}`, found);
  });

  it.each<[string, Json, string, RegExp]>([
    ["a file that isn't there", { public_key_file: "none.pem" }, "public_key_file", /ENOENT/],
    ["a private key", { public_key_file: "private.pem" }, "public_key_file", /private key/],
    ["garbage", { public_key_file: "garbage.pem" }, "public_key_file", /no public key/],
    ["a file without a key", { public_key_file: "secret.txt" }, "public_key_file", /no public key/],
    ["RSA of 1024 bits", { public_key_file: "weak.pem" }, "public_key_file", /weak/],
    ["a curve that no algorithm has", { public_key_file: "p256k.pem" }, "public_key_file", /is not RSA/],
    ["a key for RSA-PSS alone", { public_key_file: "pss.pem" }, "public_key_file", /is not RSA/],
    ["a key for another algorithm", { algorithms: ["ES256"] }, "public_key_file", /none of its issuer's/],
    ["the public half of our RSA key", { public_key_file: "own-0.pem" }, "public_key_file", /our own/],
    [
      "the public half of our P-256 key",
      { public_key_file: "own-1.pem", algorithms: ["ES256"] },
      "public_key_file",
      /our own/,
    ],
    ["several algorithms for one key", { algorithms: ["RS256", "PS256"] }, "algorithms", /one key/],
    ["an HS… with a public key", { algorithms: ["HS256"] }, "algorithms", /goes with public_key_file/],
  ])("in a file: %s", (_title, change, name, found) => {
    expectProblem(() => read({ ...BY_FILE, ...change }), `[0].${name}`, found);
  });

  it.each<[string, Json, string, RegExp]>([
    ["a variable that isn't there", { secret_env: "NOWHERE" }, "secret_env", /no such variable/],
    ["one that is empty", { secret_env: "EMPTY" }, "secret_env", /empty/],
    ["the secret itself", { secret_env: SECRET }, "secret_env", /no such variable/],
    ["a short secret", { secret_env: "SHORT" }, "secret_env", /7 bytes/],
    ["a published one", { secret_env: "DEFAULT" }, "secret_env", /published/],
    ["our own secret", { secret_env: "JWT_SECRET" }, "secret_env", /our own/],
    ["our own secret under another name", { secret_env: "COPY" }, "secret_env", /our own/],
    [
      "our own secret for another algorithm",
      { secret_env: "COPY", algorithms: ["HS512"] },
      "secret_env",
      /our own/,
    ],
    ["an algorithm of public keys", { algorithms: ["RS256"] }, "algorithms", /goes with secret_env/],
    ["several algorithms for it", { algorithms: ["HS256", "HS512"] }, "algorithms", /one key/],
    ["others beside it", { algorithms: ["HS256", "RS256"] }, "algorithms", /beside others/],
  ])("as a secret: %s", (_title, change, name, found) => {
    expectProblem(() => read({ ...BACKEND, ...change }), `[0].${name}`, found);
  });

  it.each<[string, Json, RegExp]>([
    ["none", { jwks_uri: undefined }, /no key/],
    ["two", { secret_env: "BACKEND_SECRET" }, /several keys/],
    ["three", { secret_env: "BACKEND_SECRET", public_key_file: "rsa.pem" }, /several keys/],
    ["two, one of them unreadable", { public_key_file: 5 }, /several keys/],
  ])("anything but one place for keys: %s", (_title, change, found) => {
    const problems = problemsOf(() => read({ ...CLERK, ...change }));
    expect(problems.at(-1)).toMatch(new RegExp(`^\\[0\\]: it has ${found.source}, write one of jwks_uri,`));
  });

  it("two issuers of one name, and one issuer twice", () => {
    expectProblem(() => read(CLERK, { ...CLERK, issuer: "x" }), "[1].name", /earlier/);
    expectProblem(() => read(CLERK, { ...CLERK, name: "x" }), "[1].issuer", /earlier/);
  });

  it("a member that isn't known, by its name if that can be no secret", () => {
    expectProblem(() => read({ ...CLERK, jwks_url: "x" }), "[0]", /^it has jwks_url$/);
    expectProblem(() => read({ ...CLERK, constructor: "x" }), "[0]", /^it has constructor$/);
    expectProblem(() => read({ ...CLERK, [SECRET]: 1 }), "[0]", /an unknown name/);
  });

  it("a key in the file itself", () => {
    expectProblem(() => read({ ...CLERK, secret: SECRET }), "[0]", /^it has secret$/);
    expectProblem(() => read({ ...CLERK, publicKey: files["rsa.pem"] }), "[0]", /^it has publicKey$/);
  });

  it.each(["5", "null", '"x"', "[]"])("%s for an issuer", (text) => {
    expectProblem(() => readText(`[${text}]`), "[0]", /not an object/);
  });

  it("what is no list in JSON", () => {
    const what = ", write a JSON array of issuers";
    expect(problemsOf(() => readText("{}"))).toEqual([`it is not an array${what}`]);
    expect(problemsOf(() => readText(SECRET))).toEqual([`it is not JSON${what}`]);
    expect(problemsOf(() => readText(""))).toEqual([`it is not JSON${what}`]);
  });

  it("everything at once, each in its place", () => {
    const places = problemsOf(() =>
      read(
        { ...CLERK, name: "A", audience: undefined, jwks_uri: "ftp://x" },
        { ...BACKEND, issuer: "curfew", secret_env: "SHORT", max_lifetime: "1" },
        7,
      ),
    ).map((line) => line.split(":")[0]);
    expect(places.sort()).toEqual([
      "[0].audience",
      "[0].jwks_uri",
      "[0].name",
      "[1].issuer",
      "[1].max_lifetime",
      "[1].secret_env",
      "[2]",
    ]);
  });
});

describe("plain http", () => {
  it.each([
    "http://127.0.0.1:8080/",
    "http://localhost/",
    "http://keycloak:8080/realms/app/protocol/openid-connect/certs",
    "http://10.0.0.1/",
  ])("is taken from %s outside production alone", (jwks_uri) => {
    expect(readOutsideProduction({ ...CLERK, jwks_uri })).toHaveLength(1);
    expectProblem(() => read({ ...CLERK, jwks_uri }), "[0].jwks_uri", /production/);
  });
});
