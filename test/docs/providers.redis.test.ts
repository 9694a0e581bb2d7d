import { createHash, generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { call, expectRefusal, me, register } from "../helpers/client";
import { jwkOf, startIssuer } from "../helpers/issuer";
import { forge, keySigner } from "../helpers/jws";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

type Json = Record<string, unknown>;
type Entry = Json & { name: string; issuer: string };

const page = readFileSync("docs/providers.md", "utf8");
const entries = [...page.matchAll(/```json\n([\s\S]+?)```/g)].map(
  ([, json = ""]) => JSON.parse(json) as Entry,
);

const [rsa, p256] = [
  generateKeyPairSync("rsa", { modulusLength: 2048 }),
  generateKeyPairSync("ec", { namedCurve: "P-256" }),
];
const issuer = use(async () => {
  const started = await startIssuer();
  // Not every provider says for which algorithm a key is.
  started.publish(jwkOf(rsa, { kid: "rsa", use: "sig" }), jwkOf(p256, { kid: "p256", use: "sig" }));
  return started;
});
const redis = useRedis();

/** The entries as they stand on the page, but for where the keys are, which the test publishes itself. */
function writeEntries(): string {
  const file = join(mkdtempSync(join(tmpdir(), "curfew-providers-")), "issuers.json");
  writeFileSync(file, JSON.stringify(entries.map((entry) => ({ ...entry, jwks_uri: issuer.uri }))));
  return file;
}

const service = useService(() => ({ REDIS_URL: redis.url, TRUSTED_ISSUERS_FILE: writeEntries() }));
// The epoch's own second is over, so that whatever is minted from now on is of it.
beforeAll(() => register(service.url));

const now = () => Math.floor(Date.now() / 1000);
const hash = (text: string) => createHash("sha256").update(text).digest("base64url").slice(0, 22);

/** A token as the provider documents it, `count` being which one of the same sign-in; and one for somebody else. */
type Shape = { header: Json; claims: (signIn: string, count: number) => Json; notForUs: Json; alg?: "ES256" };

const SHAPES: Record<string, Shape & { provider: string; endsSignIn: boolean }> = {
  "Auth0, classic": {
    provider: "auth0",
    endsSignIn: false,
    header: { typ: "JWT" },
    claims: () => ({
      sub: "auth0|123456",
      aud: ["https://api.example.com", "https://tenant.auth0.com/userinfo"],
      azp: "my_client_id",
      scope: "openid profile",
    }),
    notForUs: { aud: ["https://other.example.com"] },
  },
  "Auth0, RFC 9068": {
    provider: "auth0",
    endsSignIn: false,
    header: { typ: "at+jwt" },
    claims: (signIn, count) => ({
      sub: "auth0|123456",
      aud: ["https://api.example.com", "https://tenant.auth0.com/userinfo"],
      client_id: "my_client_id",
      jti: hash(signIn + String(count)),
      scope: "openid profile",
    }),
    notForUs: { aud: "https://other.example.com" },
  },
  "Auth0, with the session from an Action": {
    provider: "auth0",
    endsSignIn: true,
    header: { typ: "at+jwt" },
    claims: (signIn, count) => ({
      sub: "auth0|123456",
      aud: "https://api.example.com",
      client_id: "my_client_id",
      jti: hash(signIn + String(count)),
      "https://example.com/sid": signIn,
    }),
    notForUs: { aud: "https://other.example.com" },
  },
  Okta: {
    provider: "okta",
    endsSignIn: false,
    header: {},
    claims: (signIn, count) => ({
      ver: 1,
      jti: `AT.${hash(signIn + String(count))}`,
      aud: "api://default",
      cid: "YOUR_CLIENT_ID",
      uid: "00u1abcdEFGHijkl2345",
      scp: ["openid", "profile"],
      auth_time: now() - 60,
      sub: "user@example.com",
    }),
    notForUs: { cid: "another" },
  },
  "Entra ID": {
    provider: "entra",
    endsSignIn: false,
    header: { typ: "JWT" },
    claims: (signIn, count) => ({
      aud: "YOUR_API_CLIENT_ID",
      nbf: now() - 5,
      azp: "client",
      azpacr: "0",
      oid: "5f2c0f0e-0f0a-4b57-a7b2-a0c5b5f7f0a1",
      rh: "0.AAAA",
      scp: "access_as_user",
      sub: "pairwise",
      tid: "TENANT_ID",
      uti: hash(signIn + String(count)),
      ver: "2.0",
    }),
    notForUs: { tid: "another" },
  },
  "Entra ID, with sid": {
    provider: "entra",
    endsSignIn: true,
    header: { typ: "JWT" },
    claims: (signIn, count) => ({
      aud: "YOUR_API_CLIENT_ID",
      nbf: now() - 5,
      oid: "5f2c0f0e-0f0a-4b57-a7b2-a0c5b5f7f0a1",
      sid: signIn,
      sub: "pairwise",
      tid: "TENANT_ID",
      uti: hash(signIn + String(count)),
      ver: "2.0",
    }),
    notForUs: { aud: "another" },
  },
  Cognito: {
    provider: "cognito",
    endsSignIn: true,
    header: {},
    claims: (signIn) => ({
      sub: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
      "cognito:groups": ["testers"],
      client_id: "YOUR_CLIENT_ID",
      origin_jti: signIn,
      event_id: randomUUID(),
      token_use: "access",
      scope: "openid",
      auth_time: now() - 60,
      jti: randomUUID(),
      username: "user",
    }),
    notForUs: { token_use: "id", aud: "YOUR_CLIENT_ID" },
  },
  Keycloak: {
    provider: "keycloak",
    endsSignIn: true,
    header: { typ: "JWT" },
    claims: (signIn) => ({
      jti: `onrtac:${randomUUID()}`,
      aud: "account",
      sub: "5b1e0f3a-3a1f-4d55-9f0e-0b5a6b7c8d9e",
      typ: "Bearer",
      azp: "web",
      sid: signIn,
      acr: "1",
      realm_access: { roles: ["offline_access"] },
      scope: "profile email",
    }),
    notForUs: { typ: "ID", aud: "web" },
  },
  Supabase: {
    provider: "supabase",
    endsSignIn: true,
    alg: "ES256",
    header: { typ: "JWT" },
    claims: (signIn) => ({
      aud: "authenticated",
      sub: "123e4567-e89b-12d3-a456-426614174000",
      email: "user@example.com",
      phone: "",
      role: "authenticated",
      aal: "aal1",
      amr: [{ method: "password", timestamp: now() - 60 }],
      session_id: signIn,
      is_anonymous: false,
    }),
    notForUs: { role: "service_role" },
  },
  Clerk: {
    provider: "clerk",
    endsSignIn: true,
    header: { typ: "JWT", cat: "cl_B7d4PD111AAA" },
    claims: (signIn) => ({
      azp: "https://app.example.com",
      fva: [7, -1],
      nbf: now() - 10,
      sid: `sess_${signIn}`,
      sts: "active",
      sub: "user_2aBcDeF",
      v: 2,
    }),
    notForUs: { azp: "https://evil.example" },
  },
  Firebase: {
    provider: "firebase",
    endsSignIn: false,
    header: { typ: "JWT" },
    claims: () => ({
      aud: "PROJECT",
      auth_time: now() - 60,
      user_id: "abc123",
      sub: "abc123",
      firebase: { identities: {}, sign_in_provider: "password" },
    }),
    notForUs: { aud: "another" },
  },
  "oidc-provider": {
    provider: "login",
    endsSignIn: true,
    header: { typ: "at+jwt" },
    claims: (signIn) => ({
      aud: "https://api.example.com",
      sub: "ada",
      jti: randomUUID(),
      sid: signIn,
      scope: "api",
      client_id: "web",
    }),
    notForUs: { aud: "web" },
  },
};

function mint(
  { provider, header, claims, alg }: (typeof SHAPES)[string],
  signIn: string,
  count = 0,
  more: Json = {},
) {
  const iss = entries.find(({ name }) => name === provider)?.issuer;
  const [kid, key] = alg === "ES256" ? ["p256", p256] : ["rsa", rsa];
  const all = { iss, iat: now(), exp: now() + 3600, ...claims(signIn, count), count, ...more };
  return forge({ alg: alg ?? "RS256", kid, ...header }, all, keySigner(key.privateKey));
}

it("every entry on the page is tried", () => {
  expect(new Set(Object.values(SHAPES).map(({ provider }) => provider))).toEqual(
    new Set(entries.map(({ name }) => name)),
  );
});

describe.each(Object.entries(SHAPES))("a token of %s", (_title, shape) => {
  it("is accepted, but not one for somebody else", async () => {
    expect((await me(service.url, mint(shape, randomUUID()))).status).toBe(200);
    expectRefusal(await me(service.url, mint(shape, randomUUID(), 0, shape.notForUs)), 401, "token_invalid");
  });

  it("is refused after a logout, and so is the next of its sign-in exactly where the page says so", async () => {
    const signIn = randomUUID();
    const [token, next] = [mint(shape, signIn, 1), mint(shape, signIn, 2)];
    expect((await call(service.url, "DELETE", "/v1/auth/session", { token })).status).toBe(200);
    expectRefusal(await me(service.url, token), 401, "token_revoked");
    expect((await me(service.url, next)).status).toBe(shape.endsSignIn ? 401 : 200);
    expect((await me(service.url, mint(shape, randomUUID(), 3))).status).toBe(200);
  });

  it("ends with all of its subject's, wherever the subject stands", async () => {
    const claims = shape.claims("", 0);
    const subjectClaim = entries.find(({ name }) => name === shape.provider)?.["subject_claim"];
    const subject = { [typeof subjectClaim === "string" ? subjectClaim : "sub"]: randomUUID() };
    expect(Object.keys(claims)).toEqual(expect.arrayContaining(Object.keys(subject)));
    const [token, other] = [mint(shape, randomUUID(), 1, subject), mint(shape, randomUUID(), 2, subject)];
    const body = { all_devices: true };
    expect((await call(service.url, "DELETE", "/v1/auth/session", { token, body })).status).toBe(200);
    expectRefusal(await me(service.url, other), 401, "token_revoked");
  });
});
