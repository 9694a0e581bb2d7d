import { randomUUID } from "node:crypto";
import { call, expectRefusal, login, logout, me, refresh, register, type Tokens } from "../helpers/client";
import { readDeeds } from "../helpers/events";
import { decodePart, forge, vary } from "../helpers/jws";
import { useRedis } from "../helpers/redis";
import { SECRET, startService, useService } from "../helpers/service";

const SUCCESS = { success: true, message: "Logged out successfully" };

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));

const isAccepted = async (tokens: Tokens) => (await me(service.url, tokens.access_token)).status === 200;

async function expectDead(tokens: Tokens): Promise<void> {
  expectRefusal(await me(service.url, tokens.access_token), 401, "token_revoked");
  expectRefusal(await refresh(service.url, tokens.refresh_token), 401, "refresh_token_invalid");
}

const jtiKeyOf = (token: string) => `curfew:denylist:jti:${String(decodePart(token, 1)["jti"])}`;
const sidOf = (token: string) => String(decodePart(token, 1)["sid"]);
const sidKeyOf = (token: string) => `curfew:denylist:sid:${sidOf(token)}`;

/** Everything in Redis that a logout could change, to see that it didn't. */
const denylistKeys = async () => (await redis.admin.keys("curfew:denylist:*")).sort();

const now = () => Date.now() / 1000;

describe("POST /api/auth/logout", () => {
  it("answers 200 with its JSON, and the token is refused from then on", async () => {
    const tokens = await register(service.url);
    expect(await isAccepted(tokens)).toBe(true);
    const answer = await logout(service.url, tokens.access_token);
    expect(answer).toMatchObject({ status: 200, body: SUCCESS });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    await expectDead(tokens);
    await login(service.url, tokens.user.email);
  });

  it.each([
    ["no body at all", {}],
    ["an empty body", { headers: { "Content-Length": "0" } }],
    ["an empty JSON body", { headers: { "Content-Type": "application/json" } }],
    ["an empty object", { body: {} }],
  ])("takes %s", async (_title, options) => {
    const { access_token } = await register(service.url);
    const answer = await call(service.url, "POST", "/api/auth/logout", { token: access_token, ...options });
    expect(answer.status).toBe(200);
  });

  it("names an unknown key and revokes nothing, because a typo must not log out one device only", async () => {
    const tokens = await register(service.url);
    const answer = await logout(service.url, tokens.access_token, { all_device: true });
    expectRefusal(answer, 400, "invalid_request");
    expect(answer.body).toMatchObject({ details: [{ path: "all_device" }] });
    expect(await isAccepted(tokens)).toBe(true);
  });
});

describe("POST /api/v1/auth/logout", () => {
  it("answers 204 without a body, as often as it is asked", async () => {
    const { access_token, refresh_token } = await register(service.url);
    for (let time = 0; time < 3; time += 1) {
      const answer = await call(service.url, "POST", "/api/v1/auth/logout", {
        token: access_token,
        body: { refresh_token },
      });
      expect(answer.status).toBe(204);
      expect(answer.body).toBeUndefined();
    }
  });

  it("ends every device of the user, and nobody else's", async () => {
    const [tablet, stranger] = [await register(service.url), await register(service.url)];
    const phone = await login(service.url, tablet.user.email);
    const answer = await call(service.url, "POST", "/api/v1/auth/logout", {
      token: phone.access_token,
      body: { all_devices: true },
    });
    expect(answer.status).toBe(204);
    await expectDead(tablet);
    await expectDead(phone);
    expect(await isAccepted(stranger)).toBe(true);
  });
});

describe("rule 1: what a logout writes", () => {
  it("writes the token's entry and its session's, readable and with nothing secret in them", async () => {
    const before = await denylistKeys();
    const tokens = await register(service.url);
    const { jti, sid, iat, exp } = decodePart(tokens.access_token, 1);
    await logout(service.url, tokens.access_token);
    expect((await denylistKeys()).filter((key) => !before.includes(key) && !key.endsWith("epoch"))).toEqual([
      jtiKeyOf(tokens.access_token),
      sidKeyOf(tokens.access_token),
    ]);
    const entry = JSON.parse((await redis.admin.get(jtiKeyOf(tokens.access_token))) ?? "") as unknown;
    const common = { sub: tokens.user.id, sid, iss: "curfew", reason: "logout", by: tokens.user.id, exp };
    expect(entry).toEqual({
      ...common,
      jti,
      iat,
      ip: "127.0.0.1",
      user_agent: expect.any(String) as string,
      revoked_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
    });
    const session = JSON.parse((await redis.admin.get(sidKeyOf(tokens.access_token))) ?? "") as unknown;
    expect(session).toMatchObject({ ...common, jti: null, iat: null });
    expect(JSON.stringify([entry, session])).not.toMatch(/eyJ|@/);
  });

  it("gives the token's entry the token's remaining lifetime", async () => {
    const { access_token } = await register(service.url);
    const exp = Number(decodePart(access_token, 1)["exp"]);
    const [earliest] = [now(), await logout(service.url, access_token)];
    const ttl = await redis.admin.pttl(jtiKeyOf(access_token));
    expect(ttl).toBeGreaterThanOrEqual(Math.floor((exp - now()) * 1000));
    expect(ttl).toBeLessThanOrEqual(Math.ceil((exp - earliest) * 1000));
  });

  it("gives the session's entry 30 s more than the last of its access tokens has", async () => {
    const tokens = await register(service.url);
    const next = (await refresh(service.url, tokens.refresh_token)).body as Tokens;
    await logout(service.url, tokens.access_token);
    const exp = Number(decodePart(next.access_token, 1)["exp"]);
    const ttl = await redis.admin.pttl(sidKeyOf(tokens.access_token));
    expect(ttl).toBeGreaterThan((exp + 29 - now()) * 1000);
    expect(ttl).toBeLessThanOrEqual((exp + 31 - now()) * 1000);
  });

  it("ends the whole session, its refreshed tokens too, and no other session of the user", async () => {
    const first = await register(service.url);
    const other = await login(service.url, first.user.email);
    const refreshed = (await refresh(service.url, first.refresh_token)).body as Tokens;
    await logout(service.url, first.access_token);
    await expectDead(first);
    await expectDead(refreshed);
    expect(await isAccepted(other)).toBe(true);
  });

  it("leaves a tombstone that says when and why, and one event", async () => {
    const { access_token, user } = await register(service.url);
    const { sid, jti } = decodePart(access_token, 1);
    await logout(service.url, access_token);
    expect(await redis.admin.hgetall(`curfew:session:${String(sid)}`)).toMatchObject({
      ended_reason: "logout",
      ended_at: expect.stringMatching(/Z$/) as string,
    });
    expect(await redis.admin.pttl(`curfew:session:${String(sid)}`)).toBeGreaterThan(29 * 86_400_000);
    const events = (await redis.admin.xrange("curfew:events", "-", "+")).filter(([, fields]) =>
      fields.includes(String(sid)),
    );
    expect(events).toHaveLength(1);
    expect(events[0]?.[1]).toEqual(expect.arrayContaining(["event", "logout", "sub", user.id, "jti", jti]));
  });

  it("cuts a long user agent at 128 characters, and takes what it says for text", async () => {
    const { access_token } = await register(service.url);
    const headers = { "User-Agent": `"sid":null %1 ${"x".repeat(500)}` };
    await call(service.url, "POST", "/api/auth/logout", { token: access_token, headers });
    const entry = JSON.parse((await redis.admin.get(sidKeyOf(access_token))) ?? "") as Record<
      string,
      unknown
    >;
    expect(entry["user_agent"]).toBe(headers["User-Agent"].slice(0, 128));
    expect(entry["sid"]).toBe(sidOf(access_token));
  });
});

describe("rules 2 and 5: the credentials", () => {
  it("takes the refresh token alone, in any generation", async () => {
    const first = await register(service.url);
    const second = (await refresh(service.url, first.refresh_token)).body as Tokens;
    const third = (await refresh(service.url, second.refresh_token)).body as Tokens;
    expect((await logout(service.url, undefined, { refresh_token: first.refresh_token })).status).toBe(200);
    await expectDead(third);
    expect((await logout(service.url, undefined, { refresh_token: third.refresh_token })).status).toBe(200);
  });

  it("ends the refresh token's session beside the access token's", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    expect(
      (await logout(service.url, phone.access_token, { refresh_token: tablet.refresh_token })).status,
    ).toBe(200);
    await expectDead(phone);
    await expectDead(tablet);
  });

  it("refuses somebody else's refresh token and revokes nothing", async () => {
    const [mine, theirs] = [await register(service.url), await register(service.url)];
    const answer = await logout(service.url, mine.access_token, {
      refresh_token: theirs.refresh_token,
      all_devices: true,
    });
    expectRefusal(answer, 401, "refresh_token_invalid");
    expect(await isAccepted(mine)).toBe(true);
    expect(await isAccepted(theirs)).toBe(true);
  });

  it("refuses a refresh token that is past its lifetime and revokes nothing", async () => {
    const shortLived = await startService({ REDIS_URL: redis.url, ACCESS_TTL: "1s", REFRESH_TTL: "1s" });
    const old = await register(shortLived.url);
    await shortLived.stop();
    const mine = await login(service.url, old.user.email);
    while (now() < Number(decodePart(old.access_token, 1)["exp"])) await me(service.url, mine.access_token);
    const answer = await logout(service.url, mine.access_token, { refresh_token: old.refresh_token });
    expectRefusal(answer, 401, "refresh_token_invalid");
    expect(await isAccepted(mine)).toBe(true);
  });

  it("says token_missing without credentials", async () => {
    expectRefusal(await logout(service.url, undefined), 401, "token_missing");
    expectRefusal(await logout(service.url, undefined, { all_devices: true }), 401, "token_missing");
  });

  it("refuses what is forged, beside whatever else is genuine, and writes nothing", async () => {
    const tokens = await register(service.url);
    const other = await login(service.url, tokens.user.email);
    const before = await denylistKeys();
    const forgedAccess = forge(
      decodePart(tokens.access_token, 0),
      decodePart(tokens.access_token, 1),
      "no such key",
    );
    const forgedRefresh = `${tokens.refresh_token.slice(0, -6)}AAAAAA`;
    expectRefusal(await logout(service.url, forgedAccess), 401, "token_invalid");
    expectRefusal(
      await logout(service.url, forgedAccess, { refresh_token: tokens.refresh_token }),
      401,
      "token_invalid",
    );
    expectRefusal(
      await logout(service.url, undefined, { refresh_token: forgedRefresh }),
      401,
      "refresh_token_invalid",
    );
    expectRefusal(
      await logout(service.url, tokens.access_token, { refresh_token: forgedRefresh }),
      401,
      "refresh_token_invalid",
    );
    expectRefusal(
      await logout(service.url, undefined, { refresh_token: tokens.access_token }),
      401,
      "refresh_token_invalid",
    );
    expectRefusal(await logout(service.url, tokens.refresh_token), 401, "token_invalid");
    expect(await denylistKeys()).toEqual(before);
    expect(await isAccepted(tokens)).toBe(true);
    expect(await isAccepted(other)).toBe(true);
  });
});

describe("rule 3: all devices", () => {
  it("spares a login that comes afterwards, even within the same second", async () => {
    const tokens = await register(service.url);
    expect((await logout(service.url, tokens.access_token, { all_devices: true })).status).toBe(200);
    const next = await login(service.url, tokens.user.email);
    expect(await isAccepted(next)).toBe(true);
    await expectDead(tokens);
  });

  it("takes the refresh token of a live session alone", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    expect(
      (await logout(service.url, undefined, { refresh_token: phone.refresh_token, all_devices: true }))
        .status,
    ).toBe(200);
    await expectDead(tablet);
  });

  it("is a success again with a credential that it ended itself, and spares who came since", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    await logout(service.url, phone.access_token, { all_devices: true });
    const since = await login(service.url, phone.user.email);
    expect((await logout(service.url, phone.access_token, { all_devices: true })).status).toBe(200);
    expect((await logout(service.url, tablet.access_token, { all_devices: true })).status).toBe(200);
    expect(
      (await logout(service.url, undefined, { refresh_token: tablet.refresh_token, all_devices: true }))
        .status,
    ).toBe(200);
    expect(await isAccepted(since)).toBe(true);
  });

  it("says 401 to a credential that is dead otherwise, and ends no more than what it names", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    await logout(service.url, phone.access_token);
    expectRefusal(await logout(service.url, phone.access_token, { all_devices: true }), 401, "token_revoked");
    const onlyRefresh = await logout(service.url, undefined, {
      refresh_token: phone.refresh_token,
      all_devices: true,
    });
    expectRefusal(onlyRefresh, 401, "refresh_token_invalid");
    expect(await isAccepted(tablet)).toBe(true);

    const claims = { exp: Math.floor(now()) - 1, iat: Math.floor(now()) - 60 };
    const expired = vary(tablet.access_token, SECRET, { claims });
    const laptop = await login(service.url, phone.user.email);
    expectRefusal(await logout(service.url, expired, { all_devices: true }), 401, "token_expired");
    await expectDead(tablet);
    expect(await isAccepted(laptop)).toBe(true);
  });

  it("counts an entry written by hand as dead", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    await redis.admin.set(jtiKeyOf(phone.access_token), "why", "EX", 900);
    expectRefusal(await logout(service.url, phone.access_token, { all_devices: true }), 401, "token_revoked");
    await expectDead(phone);
    expect(await isAccepted(tablet)).toBe(true);
  });
});

describe("rule 4: dead credentials and the arithmetic of TTLs", () => {
  const expiringIn = (tokens: Tokens, seconds: number, jti: string = randomUUID()) =>
    vary(tokens.access_token, SECRET, { claims: { jti, iat: Math.floor(now()) - 60, exp: now() + seconds } });

  it("writes an entry in the last second of a token's life", async () => {
    const tokens = await register(service.url);
    const token = expiringIn(tokens, 0.9);
    expect((await logout(service.url, token)).status).toBe(200);
    const ttl = await redis.admin.pttl(jtiKeyOf(token));
    expect(ttl).not.toBe(-1);
    expect(ttl).toBeLessThanOrEqual(900);
    expect(await redis.admin.exists(sidKeyOf(token))).toBe(1);
    await expectDead(tokens);
  });

  it.each([0, 0.001, 3600])(
    "takes a token that expired %d s ago, ends its session, writes no entry for it",
    async (ago) => {
      const tokens = await register(service.url);
      const token = expiringIn(tokens, -ago);
      expect((await logout(service.url, token)).status).toBe(200);
      expect(await redis.admin.exists(jtiKeyOf(token))).toBe(0);
      await expectDead(tokens);
      expect((await logout(service.url, token)).status).toBe(200);
    },
  );

  it("takes the same token twice, keeps the first entry and shortens nothing", async () => {
    const { access_token } = await register(service.url);
    await logout(service.url, access_token);
    const [jtiKey, sidKey] = [jtiKeyOf(access_token), sidKeyOf(access_token)];
    const state = async () => [
      await redis.admin.get(jtiKey),
      await redis.admin.get(sidKey),
      await readDeeds(redis),
    ];
    const expiry = async (key: string) => Number(await redis.admin.call("PEXPIRETIME", key));
    const [first, jtiExpiry, sidExpiry] = [await state(), await expiry(jtiKey), await expiry(sidKey)];
    expect((await logout(service.url, access_token)).status).toBe(200);
    expect(await state()).toEqual(first);
    expect(await expiry(jtiKey)).toBeGreaterThanOrEqual(jtiExpiry);
    expect(await expiry(sidKey)).toBeGreaterThanOrEqual(sidExpiry);
  });

  it("neither shortens an entry that ops wrote by hand nor gives a TTL to one that has none", async () => {
    const [long, endless, short] = [
      await register(service.url),
      await register(service.url),
      await register(service.url),
    ];
    await redis.admin.set(jtiKeyOf(long.access_token), "why", "EX", 5000);
    await redis.admin.set(jtiKeyOf(endless.access_token), "why");
    await redis.admin.set(jtiKeyOf(short.access_token), "why", "EX", 5);
    for (const tokens of [long, endless, short]) {
      expectRefusal(await me(service.url, tokens.access_token), 401, "token_revoked");
      expect((await logout(service.url, tokens.access_token)).status).toBe(200);
      expect(await redis.admin.get(jtiKeyOf(tokens.access_token))).toBe("why");
    }
    expect(await redis.admin.ttl(jtiKeyOf(long.access_token))).toBeGreaterThan(4900);
    expect(await redis.admin.ttl(jtiKeyOf(endless.access_token))).toBe(-1);
    expect(await redis.admin.ttl(jtiKeyOf(short.access_token))).toBeGreaterThan(800);
  });

  it("with a tolerance of 5 s, an entry outlives every moment in which the token would be accepted", async () => {
    const tolerant = await startService({ REDIS_URL: redis.url, CLOCK_TOLERANCE_SECONDS: "5" });
    try {
      const tokens = await register(service.url);
      const token = expiringIn(tokens, -2);
      expectRefusal(await me(service.url, token), 401, "token_expired");
      expect((await me(tolerant.url, token)).status).toBe(200);
      const exp = Number(decodePart(token, 1)["exp"]);
      await logout(tolerant.url, token);
      const ttl = await redis.admin.pttl(jtiKeyOf(token));
      expect(ttl).toBeLessThanOrEqual(8000);
      expect(ttl).toBeGreaterThanOrEqual(Math.floor((exp + 10 - now()) * 1000));
      expectRefusal(await me(tolerant.url, token), 401, "token_revoked");
    } finally {
      await tolerant.stop();
    }
  });

  it("denies every other token of a session whose own record is gone", async () => {
    const tokens = await register(service.url);
    const sibling = expiringIn(tokens, 600);
    await redis.admin.del(`curfew:session:${sidOf(tokens.access_token)}`);
    expect((await logout(service.url, tokens.access_token)).status).toBe(200);
    expectRefusal(await me(service.url, sibling), 401, "token_revoked");
    expect(await redis.admin.ttl(sidKeyOf(sibling))).toBeGreaterThanOrEqual(900);
  });

  it("writes no entry without a TTL, ever", async () => {
    const keys = (await denylistKeys()).filter((key) => /:(jti|sid):/.test(key));
    expect(keys.length).toBeGreaterThan(20);
    const FOR_EVER = -1;
    for (const key of keys) {
      if ((await redis.admin.get(key)) !== "why") expect(await redis.admin.pttl(key)).not.toBe(FOR_EVER);
    }
  });
});
