import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readPrivateKey } from "../../src/keys/keys";
import {
  CLAIMS,
  claimsPart,
  createTokens,
  expectAccepted,
  expectRefused,
  flips,
  genuine,
  genuineClaims,
  genuineHeader,
  header,
  headerPart,
  hs256,
  itRefuses,
  NOW,
  rawHeader,
  signaturePart,
  tokens,
  type Case,
} from "../helpers/access-tokens";
import {
  decodePart,
  encode,
  es256Signature,
  forge,
  hmacSigner,
  keySigner,
  malleate,
  P256_ORDER,
  vary,
} from "../helpers/jws";
import { SECRET } from "../helpers/service";

type Json = Record<string, unknown>;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW * 1000 });
});
afterEach(() => {
  jest.useRealTimers();
});

describe("algorithm and key", () => {
  const unsigned = (alg: unknown) => forge({ ...genuineHeader, alg }, genuineClaims, () => "");

  itRefuses(
    ["none", "None", "NONE", "nOnE"].flatMap((alg): Case[] => [
      [`alg ${alg} with an empty signature`, () => unsigned(alg)],
      [`alg ${alg} without the last dot`, () => unsigned(alg).slice(0, -1)],
      [`alg ${alg} with the signature of the genuine token`, () => unsigned(alg) + signaturePart],
      [`alg ${alg}, rightly signed`, header({ alg })],
      [`alg ${alg} alone in the header`, () => forge({ alg }, genuineClaims, () => "")],
    ]),
  );

  const notHs256 = [
    "hs256",
    "Hs256",
    "HS256 ",
    " HS256",
    "HS256\0",
    "HS-256",
    "",
    null,
    0,
    1,
    true,
    ["HS256"],
    {},
  ];
  itRefuses(notHs256.map((alg) => [`alg ${JSON.stringify(alg)}`, header({ alg })]));
  itRefuses([["a missing alg", header({ alg: undefined })]]);

  const attacker = generateKeyPairSync("rsa", { modulusLength: 2048 });
  itRefuses([
    [
      "HS384 with the same secret",
      () => vary(genuine, hmacSigner(SECRET, "sha384"), { header: { alg: "HS384" } }),
    ],
    [
      "HS512 with the same secret",
      () => vary(genuine, hmacSigner(SECRET, "sha512"), { header: { alg: "HS512" } }),
    ],
    ["a signature of HS512 under alg HS256", () => vary(genuine, hmacSigner(SECRET, "sha512"), {})],
    [
      "RS256 under our kid",
      () => vary(genuine, keySigner(attacker.privateKey), { header: { alg: "RS256" } }),
    ],
    ["another secret under our kid", () => vary(genuine, `${SECRET}x`, {})],
  ]);

  itRefuses([
    ["HS256 with an empty secret", () => vary(genuine, "", {})],
    ["HS256 with 32 zero bytes for a secret", () => vary(genuine, Buffer.alloc(32), {})],
    ["HS256 with the kid for a secret", () => vary(genuine, hs256.kid, {})],
    ["HS256 with the key of refresh tokens", () => vary(genuine, hs256.refreshKey.export(), {})],
    ["a signature of zero bytes", () => `${headerPart}.${claimsPart}.${encode(Buffer.alloc(32))}`],
    ["a signature cut short", () => genuine.slice(0, -4)],
  ]);

  it("refuses the token with any one bit flipped", () => {
    for (const flipped of flips(genuine)) expectRefused(() => tokens.verify(flipped));
    expectAccepted(genuine);
  });

  itRefuses([
    ["a missing kid", header({ kid: undefined })],
    ["an unknown kid", header({ kid: "2024-01" })],
    [
      "kid ../../../../dev/null, signed with nothing",
      () => vary(genuine, "", { header: { kid: "../../../../dev/null" } }),
    ],
    ["kid /dev/null, signed with nothing", () => vary(genuine, "", { header: { kid: "/dev/null" } })],
    [
      "an SQL injection that would make the secret 1",
      () => vary(genuine, "1", { header: { kid: "x' UNION SELECT '1';--" } }),
    ],
    ["a shell injection for a kid", header({ kid: "|sleep 10" })],
    ["kid __proto__", header({ kid: "__proto__" })],
    ["kid constructor", header({ kid: "constructor" })],
    ["kid toString", header({ kid: "toString" })],
    ["our kid in other letters", header({ kid: swapCase(hs256.kid) })],
    ["our kid and NUL", header({ kid: `${hs256.kid}\0` })],
    ["an empty kid", header({ kid: "" })],
    ["a kid of 10 KB", header({ kid: "k".repeat(10_000) })],
    ["kid null", header({ kid: null })],
    ["kid 0", header({ kid: 0 })],
    ["our kid in an array", header({ kid: [hs256.kid] })],
    ["an object for a kid", header({ kid: { toString: hs256.kid } })],
  ]);

  const attackerJwk = attacker.publicKey.export({ format: "jwk" });
  itRefuses([
    ["a rightly signed token with jku", header({ jku: "https://attacker.example/jwks.json" })],
    ["a rightly signed token with jku file:", header({ jku: "file:///etc/passwd" })],
    ["a rightly signed token with x5u", header({ x5u: "http://169.254.169.254/" })],
    ["a rightly signed token with x5c", header({ x5c: ["MIIB"] })],
    ["a rightly signed token with x5t", header({ x5t: "AAAA" })],
    ["a rightly signed token with jwk", header({ jwk: attackerJwk })],
    [
      "a token that brings its own RSA key",
      () => vary(genuine, keySigner(attacker.privateKey), { header: { alg: "RS256", jwk: attackerJwk } }),
    ],
    [
      "a token that brings its own secret",
      () => vary(genuine, "attacker", { header: { jwk: { kty: "oct", k: encode("attacker") } } }),
    ],
  ]);

  const crits = [[], ["unknown"], "exp", ["alg"], ["exp"], ["exp", "exp"], ["b64"], ["toString"], null, {}];
  itRefuses(crits.map((crit) => [`crit ${JSON.stringify(crit)}`, header({ crit })]));
  itRefuses([["crit that names a parameter which is there", header({ crit: ["exp"], exp: NOW + 600 })]]);

  const unencoded = (change: Json) => {
    const first = encode({ ...genuineHeader, ...change });
    const payload = JSON.stringify(genuineClaims);
    return `${first}.${payload}.${hmacSigner(SECRET)(`${first}.${payload}`)}`;
  };
  itRefuses([
    ["b64 false", header({ b64: false })],
    ["b64 false with crit", header({ b64: false, crit: ["b64"] })],
    ["b64 true with crit", header({ b64: true, crit: ["b64"] })],
    ["an unencoded payload", () => unencoded({ b64: false, crit: ["b64"] })],
    ["an unencoded payload without crit", () => unencoded({ b64: false })],
  ]);

  itRefuses([
    ["zip", header({ zip: "DEF" })],
    ["cty JWT", header({ cty: "JWT" })],
    ["enc", header({ enc: "A256GCM" })],
    ["a nested token", () => forge({ ...genuineHeader, cty: "JWT" }, genuine, SECRET)],
    [
      "a JWE that asks for a billion rounds of PBKDF2",
      () =>
        [{ alg: "PBES2-HS256+A128KW", enc: "A128GCM", p2c: 1e9, p2s: "AAAA" }, "key", "iv", "text", "tag"]
          .map(encode)
          .join("."),
    ],
    ["the header of such a JWE", header({ alg: "PBES2-HS256+A128KW", p2c: 1e9, p2s: "AAAA" })],
  ]);

  const headerText = JSON.stringify(genuineHeader);
  itRefuses([
    ["an array for a header", rawHeader("[]")],
    ["the header in an array", rawHeader(`[${headerText}]`)],
    ["a string for a header", rawHeader('"x"')],
    ["a number for a header", rawHeader("1")],
    ["null for a header", rawHeader("null")],
    ["an empty object for a header", rawHeader("{}")],
    ["no JSON for a header", rawHeader("alg=HS256")],
    ["a byte order mark before the header", rawHeader(`\ufeff${headerText}`)],
    ["alg none and then alg HS256", rawHeader(headerText.replace("{", '{"alg":"none",'))],
    ["alg HS256 and then alg none", rawHeader(headerText.replace(/}$/, ',"alg":"none"}'))],
    ["alg twice, once in escapes", rawHeader(headerText.replace("{", '{"\\u0061lg":"none",'))],
    ["__proto__ in the header", rawHeader(headerText.replace("{", '{"__proto__":{"alg":"none"},'))],
    ["a header in __proto__", rawHeader(`{"__proto__":${headerText}}`)],
    ["invalid UTF-8 in the header", rawHeader(Buffer.from(headerText.replace("{", '{"\xff":1,'), "latin1"))],
  ]);
});

describe.each([
  ["RS256" as const, generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ["ES256" as const, generateKeyPairSync("ec", { namedCurve: "P-256" })],
])("with an %s key", (algorithm, { privateKey, publicKey }) => {
  const key = readPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  const verifier = createTokens(key);
  const token = verifier.mint(CLAIMS);

  it("accepts what it mints, and what the same key signed by hand", () => {
    expect(decodePart(token, 0)).toEqual({ alg: algorithm, typ: "at+jwt", kid: key.kid });
    expectAccepted(token, verifier);
    expectAccepted(vary(token, keySigner(privateKey), {}), verifier);
  });

  it.each(formsOf(publicKey))("refuses HS256 with its public key as %s", (_title, secrets) => {
    for (const secret of secrets) {
      expectRefused(() => verifier.verify(vary(token, secret, { header: { alg: "HS256" } })));
      expectRefused(() => verifier.verify(vary(token, secret, {})));
    }
    expectAccepted(token, verifier);
  });

  it("refuses none, an empty signature and HS256 with an empty secret", () => {
    for (const alg of ["none", "None", algorithm]) {
      expectRefused(() => verifier.verify(vary(token, () => "", { header: { alg } })));
    }
    expectRefused(() => verifier.verify(vary(token, "", { header: { alg: "HS256" } })));
    expectAccepted(token, verifier);
  });

  it("refuses every other algorithm of the same key", () => {
    const isRsa = algorithm === "RS256";
    const family = isRsa ? "RS" : "ES";
    for (const [size, hash] of [["384", "sha384"] as const, ["512", "sha512"] as const]) {
      const alg = `${family}${size}`;
      expectRefused(() => verifier.verify(vary(token, keySigner(privateKey, { hash }), { header: { alg } })));
      expectRefused(() => verifier.verify(vary(token, keySigner(privateKey, { hash }), {})));
    }
    if (isRsa) {
      const pss = keySigner(privateKey, { pss: true });
      expectRefused(() => verifier.verify(vary(token, pss, { header: { alg: "PS256" } })));
      expectRefused(() => verifier.verify(vary(token, pss, {})));
    }
    expectAccepted(token, verifier);
  });

  it("refuses the token with any one bit flipped", () => {
    for (const flipped of flips(token)) expectRefused(() => verifier.verify(flipped));
    expectAccepted(token, verifier);
  });

  it("refuses another key of the kind under our kid", () => {
    const other =
      algorithm === "RS256"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwk = other.publicKey.export({ format: "jwk" });
    expectRefused(() => verifier.verify(vary(token, keySigner(other.privateKey), {})));
    expectRefused(() => verifier.verify(vary(token, keySigner(other.privateKey), { header: { jwk } })));
    expectAccepted(token, verifier);
  });
});

describe("ES256 signatures", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const verifier = createTokens(
    readPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
  );
  const token = verifier.mint(CLAIMS);
  const [first = "", second = "", signature = ""] = token.split(".");
  const bytes = Buffer.from(signature, "base64url");

  const numbers: [title: string, number: bigint][] = [
    ["0", 0n],
    ["1", 1n],
    ["n - 1", P256_ORDER - 1n],
    ["n", P256_ORDER],
    ["n + 1", P256_ORDER + 1n],
    ["2^256 - 1", 2n ** 256n - 1n],
  ];
  const degenerate = numbers.flatMap(([rTitle, r]) =>
    numbers.map(([sTitle, s]): [string, () => Buffer] => [
      `r = ${rTitle}, s = ${sTitle}`,
      () => Buffer.from(es256Signature(r, s), "base64url"),
    ]),
  );

  it.each<[string, () => Buffer]>([
    ...degenerate,
    ["r = 0 and the genuine s", () => Buffer.concat([Buffer.alloc(32), bytes.subarray(32)])],
    ["the genuine r and s = 0", () => Buffer.concat([bytes.subarray(0, 32), Buffer.alloc(32)])],
    ["63 bytes", () => bytes.subarray(0, 63)],
    ["a zero byte at the end", () => Buffer.concat([bytes, Buffer.alloc(1)])],
    ["a zero byte in front", () => Buffer.concat([Buffer.alloc(1), bytes])],
    [
      "numbers of 33 bytes",
      () => Buffer.concat([0, 32].flatMap((from) => [Buffer.alloc(1), bytes.subarray(from, from + 32)])),
    ],
    ["the signature twice", () => Buffer.concat([bytes, bytes])],
    ["4 KB", () => Buffer.alloc(4096, 1)],
    ["DER", () => derOf(bytes)],
  ])("refuses %s", (_title, forged) => {
    expectRefused(() => verifier.verify(`${first}.${second}.${encode(forged())}`));
    expectAccepted(token, verifier);
  });

  it("gives the other form (r, n − s) of a signature the same jti, so that the denylist knows it", () => {
    const other = malleate(token);
    expect(other).not.toBe(token);
    expect(verifier.verify(other)).toEqual(verifier.verify(token));
  });
});

function swapCase(text: string): string {
  return text.replace(/[a-z]/gi, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}

function derOf(signature: Buffer): Buffer {
  const integers = [signature.subarray(0, 32), signature.subarray(32)].map((number) =>
    Buffer.concat([Buffer.from([0x02, 33, 0]), number]),
  );
  return Buffer.concat([Buffer.from([0x30, 70]), ...integers]);
}

type Form = [title: string, secrets: (string | Buffer)[]];

/** What a verifier might take for an HMAC secret if it were told of no more than the text of a public key. */
function formsOf(key: KeyObject): Form[] {
  const pem = key.export({ type: "spki", format: "pem" }).toString();
  const body = pem.replace(/-----[^-]+-----\n/g, "");
  const jwk = key.export({ format: "jwk" });
  const number = jwk.n ?? jwk.x ?? "";
  const jwks = permutations(Object.entries(jwk)).map((members) =>
    JSON.stringify(Object.fromEntries(members)),
  );
  const forms: Form[] = [
    ["PEM", [pem]],
    ["PEM without the last line break", [pem.trimEnd()]],
    ["PEM with a line break more", [`${pem}\n`, `\n${pem}`]],
    ["PEM with CRLF", [pem.replaceAll("\n", "\r\n")]],
    ["PEM with something in front", [` ${pem}`, `x${pem}`]],
    ["PEM in one line", [pem.replaceAll("\n", "")]],
    ["DER", [key.export({ type: "spki", format: "der" })]],
    ["the base64 body of PEM", [body, body.trimEnd(), body.replaceAll("\n", "")]],
    ["JWK, in every order of its members", jwks],
    ["JWK, pretty", [JSON.stringify(jwk, null, 2)]],
    ["JWKS", [JSON.stringify({ keys: [jwk] })]],
    ["its number alone", [number, Buffer.from(number, "base64url")]],
  ];
  if (key.asymmetricKeyType !== "rsa") return forms;
  const [text, der] = [
    key.export({ type: "pkcs1", format: "pem" }),
    key.export({ type: "pkcs1", format: "der" }),
  ];
  return [...forms, ["PKCS#1", [text, der, text.toString().trimEnd()]]];
}

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  return items.flatMap((first) =>
    permutations(items.filter((item) => item !== first)).map((rest) => [first, ...rest]),
  );
}
