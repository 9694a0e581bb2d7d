import {
  AUDIENCE,
  CLAIMS,
  claims,
  claimsPart,
  CLIENT_ID,
  createTokens,
  DAY,
  expectAccepted,
  expectRefused,
  genuine,
  genuineClaims,
  genuineHeader,
  header,
  headerPart,
  hs256,
  ISSUER,
  itRefuses,
  NOW,
  rawClaims,
  signaturePart,
  tokens,
  TTL,
  type Case,
} from "../helpers/access-tokens";
import { decodePart, encode, hmacSigner, vary } from "../helpers/jws";
import { SECRET } from "../helpers/service";

const { jti } = genuineClaims as { jti: string };
function at(seconds: number): void {
  jest.setSystemTime(seconds * 1000);
}

beforeEach(() => {
  jest.useFakeTimers({ now: NOW * 1000 });
});
afterEach(() => {
  jest.useRealTimers();
});

describe("mint", () => {
  it("writes the header and the claims that are documented, and nothing else", () => {
    expect(genuineHeader).toEqual({ alg: "HS256", typ: "at+jwt", kid: hs256.kid });
    expect(genuineClaims).toEqual({
      ...CLAIMS,
      ...{ iss: ISSUER, aud: AUDIENCE, client_id: CLIENT_ID, jti },
    });
    expect(jti).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  });

  it("gives every token a jti of its own", () => {
    const jtis = Array.from({ length: 1000 }, () => decodePart(tokens.mint(CLAIMS), 1)["jti"]);
    expect(new Set(jtis).size).toBe(1000);
  });

  it("makes what verify accepts, and verify returns the claims", () => {
    expect(tokens.verify(genuine)).toEqual({
      kind: "own",
      ...CLAIMS,
      ...{ iss: ISSUER, aud: AUDIENCE, client_id: CLIENT_ID, jti },
    });
  });

  it("accepts tokens that were minted before they had a client_id, or with another", () => {
    expectAccepted(claims({ client_id: undefined })());
    expectAccepted(claims({ client_id: "another" })());
    expectRefused(() => tokens.verify(claims({ client_id: 1 })()));
  });
});

describe("lifetime", () => {
  it("is the configured one, and never outlives the session", () => {
    expect(tokens.lifetime(NOW + 30 * DAY)).toEqual({ iat: NOW, exp: NOW + TTL });
    expect(tokens.lifetime(NOW + 100)).toEqual({ iat: NOW, exp: NOW + 100 });
  });
});

describe("the form of a token", () => {
  const padded = (bytes: number) => {
    const empty = claims({ padding: "" })().length;
    return claims({ padding: "x".repeat(Math.ceil(((bytes - empty) * 3) / 4)) })();
  };

  it("accepts 8 KiB and refuses a byte more", () => {
    const sizes = [8188, 8189, 8190, 8191, 8192].map(padded).filter((token) => token.length <= 8192);
    expect(Math.max(...sizes.map((token) => token.length))).toBeGreaterThan(8189);
    for (const token of sizes) expectAccepted(token);
    const tooLong = [8192, 8193, 8194].map(padded).filter((token) => token.length > 8192);
    expect(Math.min(...tooLong.map((token) => token.length))).toBeLessThan(8196);
    for (const token of tooLong) expectRefused(() => tokens.verify(token));
  });

  itRefuses([
    ["a genuine token of 15 KB", () => padded(15_000)],
    ["a genuine token of 70 KB", () => padded(70_000)],
    ["70 KB of one letter", () => "A".repeat(70_000)],
    ["70 KB of dots", () => ".".repeat(70_000)],
    ["4 KB of JSON brackets", () => `${encode("[".repeat(4096))}.${claimsPart}.${signaturePart}`],
  ]);

  itRefuses([
    ["nothing", () => ""],
    ["the word null", () => "null"],
    ["the word undefined", () => "undefined"],
    ["one part", () => headerPart],
    ["two parts", () => `${headerPart}.${claimsPart}`],
    ["four parts", () => `${genuine}.${signaturePart}`],
    ["four parts, the last one empty", () => `${genuine}.`],
    ["five parts, as a JWE has", () => `${genuine}.${claimsPart}.${signaturePart}`],
    ["an empty header", () => `.${claimsPart}.${signaturePart}`],
    ["empty claims", () => `${headerPart}..${signaturePart}`],
    ["an empty signature", () => `${headerPart}.${claimsPart}.`],
    ["two dots", () => ".."],
    [
      "the JSON serialization of the same token",
      () => JSON.stringify({ protected: headerPart, payload: claimsPart, signature: signaturePart }),
    ],
    [
      "the JSON serialization, encoded",
      () => encode({ protected: headerPart, payload: claimsPart, signature: signaturePart }),
    ],
  ]);

  describe.each([0, 1, 2])("in part %i", (part) => {
    const withPart = (change: (text: string) => string) => () => {
      const parts = genuine.split(".");
      parts[part] = change(parts[part] ?? "");
      return parts.join(".");
    };
    /** Signed as it then stands, so that only the spelling is at fault. */
    const resigned = (change: (text: string) => string) => () => {
      const signingInput = withPart(change)().split(".").slice(0, 2).join(".");
      const signature = hmacSigner(SECRET)(signingInput);
      return `${signingInput}.${part === 2 ? change(signature) : signature}`;
    };
    const suffixes = [
      "=",
      "==",
      "!!!!",
      " ",
      "\n",
      "\r\n",
      "\t",
      "\0",
      "\u00a0",
      "é",
      "A",
      "AA",
      "%20",
      "+",
      "/",
    ];

    itRefuses(
      suffixes.map((suffix) => [`${JSON.stringify(suffix)} appended`, resigned((text) => text + suffix)]),
    );
    itRefuses([
      ["a space in front", resigned((text) => ` ${text}`)],
      ["a line break within", resigned((text) => `${text.slice(0, 8)}\n${text.slice(8)}`)],
      ["a space within", resigned((text) => `${text.slice(0, 8)} ${text.slice(8)}`)],
    ]);
  });

  it("refuses + and / for - and _", () => {
    const spelledOtherwise = (token: string) => token.replaceAll("-", "+").replaceAll("_", "/");
    const token = Array.from({ length: 50 }, (_, n) => claims({ n: `???>>>~~~${n}` })()).find((text) =>
      text.split(".").every((part, index) => index === 0 || /[-_]/.test(part)),
    );
    expectAccepted(token ?? "");
    const [, changed = "", signature = ""] = (token ?? "").split(".");
    const signingInput = `${headerPart}.${spelledOtherwise(changed)}`;
    expectRefused(() => tokens.verify(`${signingInput}.${hmacSigner(SECRET)(signingInput)}`));
    expectRefused(() => tokens.verify(`${headerPart}.${changed}.${spelledOtherwise(signature)}`));
  });

  it("refuses stray bits after the last byte, in each part", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const spellings = (text: string) => {
      const same = (other: string) =>
        Buffer.from(other, "base64url").equals(Buffer.from(text, "base64url")) && other !== text;
      return Array.from(alphabet, (letter) => text.slice(0, -1) + letter).filter(same);
    };
    // Long enough by a letter or two, until there are bits to spare.
    const withStrayBits = ["", "x", "xx"]
      .map((padding) => claims({ padding })())
      .find((token) => spellings(token.split(".")[1] ?? "").length > 0);
    const others = spellings((withStrayBits ?? "").split(".")[1] ?? "");
    expect(others).not.toHaveLength(0);
    for (const other of others) {
      const signingInput = `${headerPart}.${other}`;
      expectRefused(() => tokens.verify(`${signingInput}.${hmacSigner(SECRET)(signingInput)}`));
    }
    // 32 bytes take 43 letters, the last of which has two bits to spare.
    const signatures = spellings(signaturePart);
    expect(signatures).toHaveLength(3);
    for (const other of signatures)
      expectRefused(() => tokens.verify(`${headerPart}.${claimsPart}.${other}`));
    expectAccepted(genuine);
  });
});

describe("claims", () => {
  const claimsText = JSON.stringify(genuineClaims);
  const without = (name: string, text: string) => {
    return JSON.stringify({ ...genuineClaims, [name]: undefined }).replace(/}$/, `,${text}}`);
  };

  itRefuses([
    ["an empty array for a payload", rawClaims("[]")],
    ["the payload in an array", rawClaims(`[${claimsText}]`)],
    ["a string for a payload", rawClaims('"s"')],
    ["the payload in a string", rawClaims(JSON.stringify(claimsText))],
    ["a number for a payload", rawClaims("1")],
    ["null for a payload", rawClaims("null")],
    ["true for a payload", rawClaims("true")],
    ["an empty object for a payload", rawClaims("{}")],
    ["no JSON for a payload", rawClaims("sub=me")],
    ["JSON and something after it", rawClaims(`${claimsText}x`)],
    ["a byte order mark before the payload", rawClaims(`\ufeff${claimsText}`)],
    [
      "invalid UTF-8 in the payload",
      rawClaims(Buffer.from(JSON.stringify({ ...genuineClaims, sub: "\xff" }), "latin1")),
    ],
  ]);

  itRefuses([
    ["a missing exp", claims({ exp: undefined })],
    ["exp null", claims({ exp: null })],
    ["exp as a string", claims({ exp: String(NOW + 600) })],
    ["exp true", claims({ exp: true })],
    ["exp in an array", claims({ exp: [NOW + 600] })],
    ["exp as an object", claims({ exp: { valueOf: NOW + 600 } })],
    ["exp 1e999", rawClaims(without("exp", '"exp":1e999'))],
    ["exp 1e20", claims({ exp: 1e20 })],
    ["exp 2^53 + 1", rawClaims(without("exp", '"exp":9007199254740993'))],
  ]);
  itRefuses(
    [
      ["exp 0", claims({ iat: -600, exp: 0 })],
      ["exp -1", claims({ iat: -600, exp: -1 })],
      ["exp 1.5", claims({ iat: 0, exp: 1.5 })],
    ],
    "token_expired",
  );

  it("holds a token with a fraction in exp for valid until that very moment", () => {
    const token = claims({ exp: NOW + 0.5 })();
    at(NOW + 0.499);
    expectAccepted(token);
    at(NOW + 0.5);
    expectRefused(() => tokens.verify(token), "token_expired");
  });

  itRefuses([
    ["a lifetime one second above the configured one", claims({ exp: CLAIMS.iat + TTL + 1 })],
    ["a lifetime of ten years", claims({ exp: NOW + 3650 * DAY })],
    ["a lifetime too long that has all but passed", claims({ iat: NOW - TTL, exp: NOW + 1 })],
  ]);
  it("accepts a lifetime of exactly the configured one", () => {
    expectAccepted(claims({ exp: CLAIMS.iat + TTL })());
  });

  it.each([
    { tolerance: 0, before: -0.001, title: "without tolerance" },
    { tolerance: 5, before: 4.999, title: "with a tolerance of 5 s" },
  ])("accepts until exp and no longer, $title", ({ tolerance, before }) => {
    const verifier = createTokens(hs256, tolerance);
    at(CLAIMS.exp + before);
    expectAccepted(genuine, verifier);
    for (const late of [0, 0.001, 1, DAY]) {
      at(CLAIMS.exp + tolerance + late);
      expectRefused(() => verifier.verify(genuine), "token_expired");
    }
  });

  itRefuses([
    ["nbf in a second", claims({ nbf: NOW + 1 })],
    ["nbf as a string", claims({ nbf: String(NOW - 60) })],
    ["nbf null", claims({ nbf: null })],
    ["nbf 1e999", rawClaims(claimsText.replace("{", '{"nbf":1e999,'))],
  ]);
  it("accepts nbf that has come, and one within the tolerance", () => {
    expectAccepted(claims({ nbf: NOW })());
    const tolerant = createTokens(hs256, 5);
    expectAccepted(claims({ nbf: NOW + 5 })(), tolerant);
    expectRefused(() => tolerant.verify(claims({ nbf: NOW + 6 })()));
  });

  itRefuses([
    ["a missing iat", claims({ iat: undefined })],
    ["iat null", claims({ iat: null })],
    ["iat as a string", claims({ iat: String(NOW - 60) })],
    ["iat in an array", claims({ iat: [NOW - 60] })],
    ["iat -1e999", rawClaims(without("iat", '"iat":-1e999'))],
    ["iat a little more than 30 s ahead", claims({ iat: NOW + 30.001 })],
    ["iat a minute ahead", claims({ iat: NOW + 60 })],
    ["iat a year ahead", claims({ iat: NOW + 365 * DAY, exp: NOW + 365 * DAY + 600 })],
  ]);
  it("accepts iat 30 s ahead, because clocks differ", () => {
    expectAccepted(claims({ iat: NOW + 30 })());
  });

  itRefuses([
    ["a missing iss", claims({ iss: undefined })],
    ["iss null", claims({ iss: null })],
    ["iss with a slash more", claims({ iss: `${ISSUER}/` })],
    ["iss in upper case", claims({ iss: ISSUER.toUpperCase() })],
    ["iss with a path more", claims({ iss: `${ISSUER}/tenant` })],
    ["iss cut short", claims({ iss: ISSUER.slice(0, -1) })],
    ["iss with a space more", claims({ iss: `${ISSUER} ` })],
    ["our iss in an array", claims({ iss: [ISSUER] })],
    ["our iss in an array with another", claims({ iss: [ISSUER, "https://evil.example"] })],
    ["iss __proto__", claims({ iss: "__proto__" })],
  ]);

  itRefuses([
    ["a missing aud", claims({ aud: undefined })],
    ["aud null", claims({ aud: null })],
    ["another aud", claims({ aud: "another.example.com" })],
    ["aud that contains ours", claims({ aud: `x${AUDIENCE}` })],
    ["aud that ours contains", claims({ aud: AUDIENCE.slice(1) })],
    ["aud in upper case", claims({ aud: AUDIENCE.toUpperCase() })],
    ["an object for aud", claims({ aud: { [AUDIENCE]: AUDIENCE, 0: AUDIENCE, length: 1 } })],
    ["no aud in the array", claims({ aud: [] })],
    ["our aud in an array in the array", claims({ aud: [[AUDIENCE]] })],
    ["a number for aud", claims({ aud: 1 })],
    ["500 others", claims({ aud: Array.from({ length: 500 }, (_, n) => `a${n}`) })],
    ["10,000 audiences, ours among them", claims({ aud: [...Array<string>(9_999).fill("a"), AUDIENCE] })],
  ]);
  it("accepts an array in which our aud stands", () => {
    expectAccepted(claims({ aud: [AUDIENCE] })());
    expectAccepted(claims({ aud: ["another.example.com", AUDIENCE] })());
  });

  const otherTypes = [
    ...[undefined, null, "", "JWT", "jwt", "AT+JWT", "at+JWT", "application/at+jwt", "at+jwt ", ["at+jwt"]],
    ...["rt+jwt", "refresh", "logout+jwt", "dpop+jwt", "id_token", "csrf"],
  ];
  itRefuses(
    otherTypes.map((typ) => [
      typ === undefined ? "a missing typ" : `typ ${JSON.stringify(typ)}`,
      header({ typ }),
    ]),
  );

  const notAnId = [undefined, null, "", 1, 1.5, true, ["j1"], {}, "j".repeat(129), "j".repeat(4000)];
  const reachingOut = [
    ...["*", "?", "[a-z]", "a:b", "{x}", "\r\nFLUSHALL\r\n", "a\0", "../a", "😀", "a b", "a\n", "a/b"],
    ...["\ud800", "\udfff", "é", "e\u0301", "a%2e"],
  ];
  describe.each(["jti", "sid"])("%s", (name) => {
    itRefuses(
      notAnId.map((value, index) => [
        `${name} ${value === undefined ? "missing" : JSON.stringify(value).slice(0, 20)} (${index})`,
        claims({ [name]: value }),
      ]),
    );
    itRefuses(reachingOut.map((value) => [`${name} ${JSON.stringify(value)}`, claims({ [name]: value })]));
    it("accepts 1 to 128 letters of the documented alphabet", () => {
      for (const id of ["a", "j".repeat(128), "A-Z.a_z~0"]) {
        expect(tokens.verify(claims({ [name]: id })())).toMatchObject({ [name]: id });
      }
    });
    it("tells upper from lower case", () => {
      expect(tokens.verify(claims({ [name]: "j1" })())).toMatchObject({ [name]: "j1" });
      expect(tokens.verify(claims({ [name]: "J1" })())).toMatchObject({ [name]: "J1" });
    });
  });

  itRefuses([["a jti of 1 MB", claims({ jti: "j".repeat(2 ** 20) })]]);

  itRefuses([
    ["two jtis", rawClaims(claimsText.replace("{", '{"jti":"other",'))],
    ["two jtis, the other one last", rawClaims(claimsText.replace(/}$/, ',"jti":"other"}'))],
    ["two equal jtis", rawClaims(claimsText.replace("{", `{"jti":"${jti}",`))],
    ["two subs, one of them in escapes", rawClaims(claimsText.replace("{", '{"\\u0073ub":"admin",'))],
    ["two exps", rawClaims(claimsText.replace("{", `{"exp":${NOW + 700},`))],
    ["two equal names within a claim", rawClaims(claimsText.replace("{", '{"act":{"sub":"a","sub":"b"},'))],
  ]);

  it("takes __proto__, constructor and toString for claims like any other", () => {
    const elevated =
      '{"__proto__":{"roles":["ops"],"role":"admin"},"constructor":{"prototype":{"role":"admin"}},';
    const token = rawClaims(claimsText.replace("{", `${elevated}"toString":"x",`))();
    const verified = tokens.verify(token);
    expect(verified).toEqual({ kind: "own", ...genuineClaims });
    expect(verified).not.toHaveProperty("role");
    expect({}).not.toHaveProperty("role");
    for (const sub of ["__proto__", "constructor", "toString"]) {
      expect(tokens.verify(claims({ sub })())).toMatchObject({ sub, roles: ["analyst"] });
    }
  });

  it.each(["exp", "iat", "sub", "sid", "jti", "iss", "aud", "roles", "epoch"])(
    "refuses %s that stands only in __proto__",
    (name) => {
      const inherited = JSON.stringify({ [name]: genuineClaims[name] });
      expectRefused(() => tokens.verify(rawClaims(without(name, `"__proto__":${inherited}`))()));
      expectAccepted(rawClaims(claimsText.replace(/}$/, `,"__proto__":${inherited}}`))());
    },
  );

  itRefuses([
    ["a missing sub", claims({ sub: undefined })],
    ["sub null", claims({ sub: null })],
    ["an empty sub", claims({ sub: "" })],
    ["a number for sub", claims({ sub: 1 })],
    ["sub in an array", claims({ sub: [CLAIMS.sub] })],
    ["an object for sub", claims({ sub: {} })],
  ]);

  itRefuses([
    ["missing roles", claims({ roles: undefined })],
    ["roles as a string", claims({ roles: "ops" })],
    ["roles that aren't all strings", claims({ roles: ["analyst", 1] })],
    ["roles null", claims({ roles: null })],
    ["a missing epoch", claims({ epoch: undefined })],
    ["an epoch that is a number", claims({ epoch: 1_890_000_000 })],
    ["an epoch in an array", claims({ epoch: [CLAIMS.epoch] })],
  ]);
});

describe("the order of the checks", () => {
  const EXPIRED = { iat: NOW - 700, exp: NOW - 100 };
  const forgedExpired = () => vary(genuine, `${SECRET}x`, { claims: EXPIRED });

  it("says token_expired of a genuine token that is over", () => {
    expectRefused(() => tokens.verify(claims(EXPIRED)()), "token_expired");
  });

  it.each<Case>([
    ["forged", forgedExpired],
    ["of an unknown kid", () => vary(genuine, SECRET, { header: { kid: "k" }, claims: EXPIRED })],
    ["of another typ", () => vary(genuine, SECRET, { header: { typ: "JWT" }, claims: EXPIRED })],
    ["of another iss", claims({ ...EXPIRED, iss: "https://evil.example" })],
    ["for another aud", claims({ ...EXPIRED, aud: "another.example.com" })],
    ["malformed", () => `${claims(EXPIRED)()}=`],
  ])("says of an expired token that is %s no more than token_invalid", (_title, token) => {
    expectRefused(() => tokens.verify(token()));
  });

  it.each<Case>([
    ["iat", claims({ ...EXPIRED, iat: "yesterday" })],
    ["lifetime", claims({ ...EXPIRED, iat: 0 })],
    ["sub", claims({ ...EXPIRED, sub: "" })],
    ["jti", claims({ ...EXPIRED, jti: "*" })],
    ["sid", claims({ ...EXPIRED, sid: "*" })],
  ])("looks at exp before %s", (_title, token) => {
    expectRefused(() => tokens.verify(token()), "token_expired");
  });
});

describe("verify with allowExpired", () => {
  const EXPIRED = { iat: NOW - 700, exp: NOW - 100 };
  const verify = (token: string) => tokens.verify(token, { allowExpired: true });

  it("returns the claims of a token that is over, however long", () => {
    expect(verify(claims(EXPIRED)())).toEqual({
      kind: "own",
      ...CLAIMS,
      ...EXPIRED,
      iss: ISSUER,
      aud: AUDIENCE,
      client_id: CLIENT_ID,
      jti,
    });
    at(NOW + 3650 * DAY);
    expect(verify(genuine)).toEqual({ kind: "own", ...genuineClaims });
  });

  it("accepts a lifetime that was the configured one once", () => {
    expect(verify(claims({ ...EXPIRED, iat: EXPIRED.exp - TTL - 1 })())).toMatchObject({ exp: EXPIRED.exp });
  });

  it.each<Case>([
    ["a forged signature", () => vary(genuine, `${SECRET}x`, { claims: EXPIRED })],
    ["alg none", () => vary(genuine, () => "", { header: { alg: "none" }, claims: EXPIRED })],
    ["crit", () => vary(genuine, SECRET, { header: { crit: ["exp"] }, claims: EXPIRED })],
    ["another typ", () => vary(genuine, SECRET, { header: { typ: "JWT" }, claims: EXPIRED })],
    ["another iss", claims({ ...EXPIRED, iss: "https://evil.example" })],
    ["another aud", claims({ ...EXPIRED, aud: "another.example.com" })],
    ["a missing exp", claims({ exp: undefined })],
    ["exp as a string", claims({ ...EXPIRED, exp: String(EXPIRED.exp) })],
    ["a missing iat", claims({ ...EXPIRED, iat: undefined })],
    ["iat ahead", claims({ iat: NOW + 31, exp: NOW })],
    ["nbf ahead", claims({ ...EXPIRED, nbf: NOW + 1 })],
    ["an empty sub", claims({ ...EXPIRED, sub: "" })],
    ["a jti out of the alphabet", claims({ ...EXPIRED, jti: "*" })],
    ["a sid out of the alphabet", claims({ ...EXPIRED, sid: "*" })],
    ["missing roles", claims({ ...EXPIRED, roles: undefined })],
    ["a missing epoch", claims({ ...EXPIRED, epoch: undefined })],
  ])("still refuses %s", (_title, token) => {
    expectRefused(() => verify(token()));
  });
});
