import { CurfewError } from "../../src/errors";
import { createForeignTokens } from "../../src/issuers/foreign-tokens";
import { readPublicKey } from "../../src/issuers/issuer-keys";
import type { TrustedIssuer } from "../../src/issuers/trusted-issuer";
import { keepLog, pairs, pemOf, SIGNING } from "../helpers/issuer";
import { forge } from "../helpers/jws";

type Json = Record<string, unknown>;

const NOW = 1_900_000_000;
const ISS = "https://idp.example.com";
const EVENTS = { "http://schemas.openid.net/event/backchannel-logout": {} };
const CLAIMS = {
  iss: ISS,
  aud: "client-1",
  iat: NOW - 1,
  jti: "logout-1",
  sub: "user_1",
  sid: "s/1",
  events: EVENTS,
};

const IDP: TrustedIssuer = {
  name: "idp",
  issuer: ISS,
  keys: readPublicKey(pemOf(pairs.RSA), ["RS256"]),
  audience: ["api"],
  logoutAudience: ["client-1", "client-2"],
  algorithms: ["RS256"],
  typ: ["at+jwt"],
  claims: { subject: "uid", session: "session_id", tokenId: "jti" },
  required: [{ claim: "azp", values: ["web"] }],
  clockLeadSeconds: 5,
  maxLifetimeSeconds: 3600,
  sinceEpoch: true,
};

beforeEach(() => {
  jest.spyOn(Date, "now").mockReturnValue(NOW * 1000);
});
afterEach(() => jest.restoreAllMocks());

const sign = (claims: Json = {}, header: Json = {}) =>
  forge({ alg: "RS256", typ: "logout+jwt", ...header }, { ...CLAIMS, ...claims }, SIGNING.RS256.signer);

const verify = (token: string, change: Partial<TrustedIssuer> = {}, clockToleranceSeconds = 0) =>
  createForeignTokens([{ ...IDP, ...change }], {
    clockToleranceSeconds,
    log: keepLog().log,
  }).logoutTokens.verify(token);

/** The code and the rule of its refusal. */
async function refusalOf(token: string, change?: Partial<TrustedIssuer>): Promise<unknown> {
  try {
    return await verify(token, change);
  } catch (error) {
    if (!(error instanceof CurfewError)) throw error;
    return [error.code, error.rule];
  }
}

describe("a logout token", () => {
  it("names a session and a subject, by sid and sub, wherever access tokens have them", async () => {
    expect(await verify(sign())).toMatchObject({
      issuer: { name: "idp" },
      keyId: "logout-1",
      goodUntil: NOW - 1 + 300,
      sub: { id: "user_1", keyId: "user_1" },
      sid: { id: "s/1", keyId: expect.stringMatching(/^sha256-/) as string },
    });
    expect(await verify(sign({ sid: undefined }))).toMatchObject({ sid: undefined, sub: { id: "user_1" } });
    expect(await verify(sign({ sub: undefined }))).toMatchObject({ sid: { id: "s/1" }, sub: undefined });
  });

  it("may have any type that providers give it, and be for one of several clients", async () => {
    for (const typ of ["logout+jwt", "application/logout+JWT", "JWT", undefined])
      expect(await verify(sign({}, { typ }))).toMatchObject({ keyId: "logout-1" });
    expect(await verify(sign({ aud: ["x", "client-2"] }))).toMatchObject({ keyId: "logout-1" });
    expect(await verify(sign({ aud: "anybody" }), { logoutAudience: null })).toMatchObject({
      keyId: "logout-1",
    });
  });

  it("may be five minutes old, with or without an exp, and ahead by its issuer's clock", async () => {
    expect(await verify(sign({ iat: NOW - 300 }))).toMatchObject({ goodUntil: NOW });
    expect(await verify(sign({ iat: NOW - 310 }), {}, 10)).toMatchObject({ goodUntil: NOW });
    expect(await verify(sign({ iat: NOW + 5, exp: NOW + 1 }))).toMatchObject({ keyId: "logout-1" });
  });

  it.each<[string, Json, Json, string]>([
    ["the type of an access token", {}, { typ: "at+jwt" }, "typ"],
    ["a type that isn't text", {}, { typ: null }, "typ"],
    ["the audience of access tokens", { aud: "api" }, {}, "aud"],
    ["no audience", { aud: undefined }, {}, "aud"],
    ["no events", { events: undefined }, {}, "events"],
    ["another event", { events: { "https://example.com/other": {} } }, {}, "events"],
    ["its event in a list", { events: Object.keys(EVENTS) }, {}, "events"],
    ["an event that is no object", { events: { [String(Object.keys(EVENTS)[0])]: true } }, {}, "events"],
    ["a nonce", { nonce: "n" }, {}, "nonce"],
    ["a nonce of null", { nonce: null }, {}, "nonce"],
    ["no iat", { iat: undefined }, {}, "iat"],
    ["an iat of more than five minutes ago", { iat: NOW - 300.5 }, {}, "iat"],
    ["an iat further ahead than its issuer's clock may be", { iat: NOW + 6 }, {}, "iat"],
    ["an exp that has passed", { exp: NOW }, {}, "exp"],
    ["an exp that isn't a number", { exp: `${NOW + 60}` }, {}, "exp"],
    ["no jti", { jti: undefined }, {}, "jti"],
    ["an empty jti", { jti: "" }, {}, "jti"],
    ["neither sid nor sub", { sid: undefined, sub: undefined }, {}, "sub"],
    ["a sid that isn't text", { sid: 5 }, {}, "sid"],
  ])("is refused with %s", async (_title, claims, header, rule) => {
    expect(await refusalOf(sign(claims, header))).toEqual(["token_invalid", rule]);
    expect(await verify(sign())).toMatchObject({ keyId: "logout-1" });
  });

  it("is forged without its issuer's signature, and its refusal names no rule", async () => {
    const forged = forge({ alg: "RS256" }, CLAIMS, SIGNING.RS512.signer);
    for (const token of [forged, "", "a.b", sign({ iss: "https://evil.example" }), sign({}, { alg: "none" })])
      expect(await refusalOf(token)).toEqual(["token_invalid", undefined]);
  });
});
