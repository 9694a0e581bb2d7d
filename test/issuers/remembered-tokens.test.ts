import { createForeignTokens } from "../../src/issuers/foreign-tokens";
import type { JwksLimits } from "../../src/issuers/jwks";
import type { TrustedIssuer } from "../../src/issuers/trusted-issuer";
import { eventually } from "../helpers/client";
import { jwkOf, keepLog, pairs, SIGNING, startIssuer } from "../helpers/issuer";
import { forge } from "../helpers/jws";
import { use } from "../helpers/use";

const ISS = "https://clerk.example.com";
const HOUR_MS = 3_600_000;
/** The keys are fetched again and again, but for no token's sake. */
const LIMITS = { timeoutMs: 2000, maxBytes: 65_536, cooldownMs: HOUR_MS, refreshMs: 20, maxAgeMs: HOUR_MS };

const nowSeconds = Math.floor(Date.now() / 1000);
const claims = { iss: ISS, sub: "user_1", jti: "jti_1", org: { roles: ["reader"] } };
const token = forge(
  { alg: "ES256", kid: "es" },
  { ...claims, iat: nowSeconds, exp: nowSeconds + 600 },
  SIGNING.ES256.signer,
);
const key = jwkOf(pairs["P-256"], { kid: "es" });
const other = jwkOf(pairs.RSA, { kid: "rsa" });

const issuer = use(startIssuer);
const opened: { close(): void }[] = [];
afterEach(() => {
  for (const tokens of opened.splice(0)) tokens.close();
});

/** How the token is judged, which was accepted and is remembered. */
async function remember(limits: Partial<JwksLimits> = {}) {
  issuer.publish(key);
  const trusted: TrustedIssuer = {
    ...{ name: "acme", issuer: ISS, keys: { jwksUri: issuer.uri }, algorithms: ["ES256", "RS256"] },
    ...{ audience: null, logoutAudience: ["api"], typ: undefined, required: [], sinceEpoch: true },
    claims: { subject: "sub", session: "sid", tokenId: "jti" },
    ...{ clockLeadSeconds: 5, maxLifetimeSeconds: 3600 },
  };
  const tokens = createForeignTokens([trusted], {
    clockToleranceSeconds: 0,
    log: keepLog().log,
    limits: { ...LIMITS, ...limits },
  });
  opened.push(tokens);
  const verify = () => Promise.resolve(tokens.claimsToBeFrom(token)?.verify());
  await verify();
  return {
    verify,
    becomes: (code: string) =>
      eventually(() =>
        verify().then(
          () => false,
          (error: unknown) => (error as { code?: string }).code === code,
        ),
      ),
  };
}

describe("an issuer's token that is remembered", () => {
  it("is accepted as long as its key is published, however often that is fetched", async () => {
    const { verify } = await remember();
    const before = issuer.requests();
    await eventually(() => Promise.resolve(issuer.requests() > before + 2));
    expect(await verify()).toMatchObject({ sub: "user_1", claims });
  });

  it("is refused once its issuer has withdrawn the key", async () => {
    const { becomes } = await remember();
    issuer.publish(other);
    await becomes("token_invalid");
  });

  it("is refused once another key has the key's name", async () => {
    const { becomes } = await remember();
    issuer.publish({ ...other, kid: "es" });
    await becomes("token_invalid");
  });

  it("can't be judged once the keys are too old", async () => {
    const { becomes } = await remember({ maxAgeMs: 200 });
    issuer.answer((_req, res) => res.writeHead(500).end());
    await becomes("issuer_unavailable");
  });

  it("is told anew each time, whatever a handler did to what it was told before", async () => {
    const { verify } = await remember();
    for (let use = 0; use < 2; use += 1) {
      const told = await verify();
      expect(told).toMatchObject({ sub: "user_1", keyIds: { jti: "jti_1" }, claims });
      if (!told) continue;
      told.sub = told.keyIds.jti = "somebody else's";
      told.claims["org"] = "another";
    }
    const { roles } = (await verify())?.claims["org"] as { roles: string[] };
    expect(() => roles.push("admin")).toThrow(TypeError);
  });
});
