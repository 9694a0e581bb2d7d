import { createHash } from "node:crypto";
import { call, eventually, expectRefusal, me, refresh, register, type Tokens } from "../helpers/client";
import { readDeeds } from "../helpers/events";
import { startProvider, writeIssuers, type TestProvider } from "../helpers/provider";
import { decodePart } from "../helpers/jws";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

const redis = useRedis();
const clerk = use(() => startProvider("clerk"));
const other = use(() =>
  startProvider("other", { since_epoch: false, clock_lead: "30s", max_lifetime: "1h" }),
);
const prompt = use(() => startProvider("prompt", { clock_lead: "1s" }));
const env = () => ({ REDIS_URL: redis.url, TRUSTED_ISSUERS_FILE: writeIssuers(clerk, other, prompt) });
const one = useService(env);
const two = useService(env);
// The epoch's own second is over, so that whatever is minted from now on is of it.
beforeAll(() => register(one.url));

const logout = (token: string, body?: object) =>
  call(one.url, "DELETE", "/v1/auth/session", { token, ...(body && { body }) });
const verify = (token: string) => call(two.url, "GET", "/api/auth/verify", { token });
const jtiOf = (token: string) => String(decodePart(token, 1)["jti"]);
const entryOf = async (key: string) =>
  JSON.parse((await redis.admin.get(`curfew:denylist:${key}`)) ?? "null") as Record<string, unknown> | null;

const lastDeed = async () => (await readDeeds(redis)).at(-1);

it("lets the provider's users in, and tells who they are", async () => {
  const token = clerk.mint({ sub: "user_42", sid: "sess_1", roles: ["ops"], name: "Ada" });
  const answer = await me(one.url, token);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    id: "clerk:user_42",
    issuer: "https://clerk.example.com",
    claims: expect.objectContaining({ name: "Ada", sub: "user_42" }) as object,
  });
  const { status, headers } = await verify(token);
  expect(status).toBe(204);
  expect(Object.fromEntries([...headers].filter(([name]) => name.startsWith("x-auth-")))).toEqual({
    "x-auth-subject": "clerk:user_42",
    "x-auth-token-id": jtiOf(token),
    "x-auth-session": "sess_1",
    "x-auth-issuer": "https://clerk.example.com",
    // Their roles mean nothing here.
    "x-auth-roles": "",
    "x-auth-expires": String(decodePart(token, 1)["exp"]),
  });
});

it("DELETE /v1/auth/session: refused everywhere from then on, with one event and a readable entry", async () => {
  const token = clerk.mint({ sub: "user_7" });
  expect((await verify(token)).status).toBe(204);
  const answer = await logout(token);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({ success: true, message: "Logged out successfully" });
  for (const refused of [await me(one.url, token), await me(two.url, token), await verify(token)]) {
    expectRefusal(refused, 401, "token_revoked");
  }
  const { exp, iat } = decodePart(token, 1) as { exp: number; iat: number };
  expect(await entryOf(`jti:clerk:${jtiOf(token)}`)).toMatchObject({
    ...{ jti: jtiOf(token), sub: "clerk:user_7", sid: null, iss: "https://clerk.example.com", iat, exp },
    ...{ reason: "logout", by: "clerk:user_7" },
  });
  const ttl = await redis.admin.pttl(`curfew:denylist:jti:clerk:${jtiOf(token)}`);
  expect(ttl).toBeGreaterThan(exp * 1000 - Date.now() - 100);
  expect(ttl).toBeLessThanOrEqual(exp * 1000 - Date.now() + 100);
  const deeds = await readDeeds(redis);
  expect(await lastDeed()).toMatchObject({ event: "logout", sub: "clerk:user_7", jti: jtiOf(token) });
  // Once more is a success, and no news.
  expect((await logout(token)).status).toBe(200);
  expect(await readDeeds(redis)).toEqual(deeds);
  expect(
    one.log.filter((line) => line.includes('"event":"logout"') && line.includes(jtiOf(token))),
  ).not.toEqual([]);
});

it("one person has one spelling, whatever it is: only in keys a name may be a digest", async () => {
  const ids = { sub: "auth0|5f7c ø", sid: "s/8", jti: "j/8" };
  const whose = { sub: `clerk:${ids.sub}`, sid: ids.sid, jti: ids.jti };
  const token = clerk.mint(ids);
  const { headers } = await verify(token);
  expect(headers.get("x-auth-subject")).toBe("clerk:auth0|5f7c%20%C3%B8");
  expect([headers.get("x-auth-session"), headers.get("x-auth-token-id")]).toEqual([ids.sid, ids.jti]);
  expect((await me(one.url, token)).body).toMatchObject({ id: whose.sub });

  expect((await logout(token, { all_devices: true })).status).toBe(200);
  expectRefusal(await me(one.url, token), 401, "token_revoked");
  const digest = (id: string) => `sha256-${createHash("sha256").update(id).digest("hex")}`;
  for (const [kind, id] of Object.entries(ids)) {
    expect(await entryOf(`${kind}:clerk:${digest(id)}`)).toMatchObject({ ...whose, by: whose.sub });
  }
  expect((await readDeeds(redis)).at(-1)).toMatchObject({
    ...whose,
    event: "logout_all_devices",
    by: whose.sub,
  });
  const lineOf = (event: string) =>
    one.log.find((line) => line.includes(`"event":"${event}"`) && line.includes(ids.sid)) ?? "{}";
  await eventually(() => Promise.resolve(lineOf("revoked_token_used") !== "{}"));
  for (const event of ["logout", "revoked_token_used"])
    expect(JSON.parse(lineOf(event))).toMatchObject(whose);
});

it("ends the session that the token names: what the provider still mints for it is refused", async () => {
  const session = { sub: "user_8", sid: "sess_8" };
  const [token, sibling] = [clerk.mint(session), clerk.mint(session)];
  expect((await logout(token)).status).toBe(200);
  expectRefusal(await verify(sibling), 401, "token_revoked");
  expectRefusal(await verify(clerk.mint(session)), 401, "token_revoked");
  expect((await verify(clerk.mint({ ...session, sid: "sess_9" }))).status).toBe(204);
  expect(await redis.admin.pttl("curfew:denylist:sid:clerk:sess_8")).toBeGreaterThan(86_400_000 - 10_000);
});

it("all_devices cuts off every token of the subject so far, also of an issuer whose clock is ahead", async () => {
  const now = Math.floor(Date.now() / 1000);
  const iats = [now, now - 60, now + 20, now + 20.7];
  const [here = "", ...others] = iats.map((iat) => other.mint({ sub: "user_9", iat }));
  expect((await logout(here, { all_devices: true })).status).toBe(200);
  for (const token of [here, ...others]) expectRefusal(await verify(token), 401, "token_revoked");
  expect((await verify(other.mint({ sub: "user_10" }))).status).toBe(204);
  const entry = await entryOf("sub:other:user_9");
  expect(entry).toMatchObject({ sub: "other:user_9", reason: "logout_all_devices" });
  const cutoff = Number(entry?.["cutoff"]);
  expect([now + 30, now + 31]).toContain(cutoff);
  // A credential that it ended itself gets success again; a cutoff never moves.
  expect((await logout(others[0] ?? "", { all_devices: true })).status).toBe(200);
  expect((await entryOf("sub:other:user_9"))?.["cutoff"]).toBe(cutoff);
  const ttl = await redis.admin.ttl("curfew:denylist:sub:other:user_9");
  expect(ttl).toBeGreaterThan(3630 - 5);
  expect(ttl).toBeLessThanOrEqual(3631);
});

it("who signs in again after all_devices is refused until the issuer's clock_lead has passed", async () => {
  const signIn = () => verify(prompt.mint({ sub: "user_9" }));
  expect((await logout(prompt.mint({ sub: "user_9" }), { all_devices: true })).status).toBe(200);
  expectRefusal(await signIn(), 401, "token_revoked");
  await eventually(async () => (await signIn()).status === 204);
});

it("a token issued in a cutoff's very second is cut off, and what is cut off moves no cutoff", async () => {
  const cutoff = Math.floor(Date.now() / 1000) - 10;
  const entry = JSON.stringify({ cutoff });
  await redis.admin.set("curfew:denylist:sub:other:user_15", entry, "EX", 9000);
  for (const [iat, status] of [
    [cutoff, 401],
    [cutoff + 0.7, 401],
    [cutoff + 1, 204],
  ] as const) {
    expect((await verify(other.mint({ sub: "user_15", iat }))).status).toBe(status);
  }
  for (const iat of [cutoff, cutoff + 0.7]) {
    expect((await logout(other.mint({ sub: "user_15", iat }), { all_devices: true })).status).toBe(200);
    expect(await redis.admin.get("curfew:denylist:sub:other:user_15")).toBe(entry);
  }
});

it("all_devices asked for by a token from before the epoch is refused, unless its issuer is exempt", async () => {
  const before = Math.floor(Date.now() / 1000) - 300;
  const ask = (issuer: TestProvider) =>
    logout(issuer.mint({ sub: "user_16", iat: before }), { all_devices: true });
  expectRefusal(await ask(clerk), 401, "token_revoked");
  expect(await redis.admin.exists("curfew:denylist:sub:clerk:user_16")).toBe(0);
  expect((await ask(other)).status).toBe(200);
  expect(await redis.admin.exists("curfew:denylist:sub:other:user_16")).toBe(1);
});

it("all_devices takes a token that is alive; a dead one is ended, and refused", async () => {
  const [dead, alive] = [clerk.mint({ sub: "user_11" }), clerk.mint({ sub: "user_11" })];
  expect((await logout(dead)).status).toBe(200);
  expectRefusal(await logout(dead, { all_devices: true }), 401, "token_revoked");
  expect((await verify(alive)).status).toBe(204);
});

it("an expired token can log out; a forged one can't, and writes nothing", async () => {
  const now = Math.floor(Date.now() / 1000);
  const expired = clerk.mint({ sub: "user_12", sid: "sess_12", iat: now - 700, exp: now - 100 });
  expectRefusal(await verify(expired), 401, "token_expired");
  expect((await logout(expired)).status).toBe(200);
  expectRefusal(await verify(clerk.mint({ sub: "user_12", sid: "sess_12" })), 401, "token_revoked");
  const size = await redis.admin.dbsize();
  const forged = clerk.mint().slice(0, -8) + "AAAAAAAA";
  expectRefusal(await logout(forged), 401, "token_invalid");
  expectRefusal(await verify(other.mint({ iss: "https://clerk.example.com" })), 401, "token_invalid");
  expect(await redis.admin.dbsize()).toBe(size);
});

it("one jti at two issuers is two tokens, and a token without one is known by what is signed", async () => {
  const jti = "the-same";
  const [theirs, others] = [clerk.mint({ jti }), other.mint({ jti })];
  expect((await logout(theirs)).status).toBe(200);
  expectRefusal(await verify(theirs), 401, "token_revoked");
  expect((await verify(others)).status).toBe(204);

  const nameless = clerk.mint({ jti: undefined, sub: "user_13" });
  expect((await logout(nameless)).status).toBe(200);
  expectRefusal(await verify(nameless), 401, "token_revoked");
  expect((await lastDeed())?.["jti"]).toMatch(/^sha256-[0-9a-f]{64}$/);
});

it("entries written by hand count: a token's, a session's, a whole subject's", async () => {
  const token = clerk.mint({ sub: "user_14", jti: "by-hand", sid: "sess_14" });
  for (const key of ["jti:clerk:by-hand", "sid:clerk:sess_14", "sub:clerk:user_14"]) {
    expect((await verify(token)).status).toBe(204);
    await redis.admin.set(`curfew:denylist:${key}`, "why", "EX", 60);
    expectRefusal(await verify(token), 401, "token_revoked");
    await redis.admin.del(`curfew:denylist:${key}`);
  }
  // Whether it has a cutoff can't be known.
  await redis.admin.rpush("curfew:denylist:sub:clerk:user_14", "what is this?");
  expectRefusal(await verify(token), 503, "denylist_unavailable");
});

it("sessions and passwords of ours are none of theirs", async () => {
  const token = clerk.mint();
  const body = { current_password: "an unlikely passphrase", new_password: "another unlikely one" };
  for (const [method, path, sent] of [
    ["GET", "/api/auth/sessions", undefined],
    ["DELETE", "/api/auth/sessions", undefined],
    ["DELETE", "/api/auth/sessions/x", undefined],
    ["POST", "/api/auth/password", body],
  ] as const) {
    const answer = await call(one.url, method, path, { token, ...(sent && { body: sent }) });
    expectRefusal(answer, 403, "own_session_required");
  }
  const ours = await register(one.url);
  const both = await logout(token, { refresh_token: ours.refresh_token });
  expectRefusal(both, 401, "refresh_token_invalid");
  expect((await verify(token)).status).toBe(204);
  expect((await me(one.url, ours.access_token)).status).toBe(200);
});

it("their ids may be those of a user of ours: nothing that is done to one touches the other, and neither is the other", async () => {
  const ours = await register(one.url);
  const { sub, sid, jti } = decodePart(ours.access_token, 1) as Record<"sub" | "sid" | "jti", string>;
  const ids = { sub, sid, roles: ["ops"] };
  const [theirs, left] = [clerk.mint({ ...ids, jti }), clerk.mint({ ...ids, jti: "left" })];
  expect((await me(one.url, theirs)).body).toMatchObject({ id: `clerk:${sub}` });

  for (const token of [left, left.replace(/\.[^.]*$/, "")]) {
    expectRefusal(await refresh(one.url, token), 401, "refresh_token_invalid");
  }
  expect((await logout(left, { all_devices: true })).status).toBe(200);
  expectRefusal(await verify(theirs), 401, "token_revoked");
  expect((await me(two.url, ours.access_token)).status).toBe(200);
  const next = await refresh(one.url, ours.refresh_token);
  expect(next.status).toBe(200);

  const others = other.mint({ ...ids, jti });
  expect((await logout(ours.access_token, { all_devices: true })).status).toBe(200);
  expectRefusal(await me(two.url, (next.body as Tokens).access_token), 401, "token_revoked");
  expect((await verify(others)).status).toBe(204);
});

it("a denylist that was lost refuses what was issued before, unless its issuer is exempt", async () => {
  const now = Math.floor(Date.now() / 1000);
  const [token, exempt] = [clerk.mint({ iat: now - 5 }), other.mint({ iat: now - 5 })];
  await redis.admin.flushall();
  expectRefusal(await verify(token), 401, "token_revoked");
  expect((await verify(exempt)).status).toBe(204);
  expect((await verify(clerk.mint({ iat: now + 5 }))).status).toBe(204);
});
