import {
  call,
  eventually,
  expectRefusal,
  login,
  logout,
  me,
  PASSWORD,
  refresh,
  register,
  untilReady,
  type Tokens,
} from "../helpers/client";
import { readDeeds } from "../helpers/events";
import { decodePart } from "../helpers/jws";
import { startRedis, useRedis } from "../helpers/redis";
import { startService, useService } from "../helpers/service";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));
/** The same service without grace, so that a test needn't wait until it is over. */
const strict = useService(() => ({ REDIS_URL: redis.url, REFRESH_GRACE_SECONDS: "0" }));

const generationOf = (tokens: Tokens) => decodePart(`.${tokens.refresh_token}`, 1)["generation"];
const sidOf = (tokens: Tokens) => String(decodePart(tokens.access_token, 1)["sid"]);
const isAccepted = async (tokens: Tokens) => (await me(service.url, tokens.access_token)).status === 200;

async function refreshed(url: string, tokens: Tokens): Promise<Tokens> {
  const answer = await refresh(url, tokens.refresh_token);
  expect(answer.status).toBe(200);
  return answer.body as Tokens;
}

const eventsOf = async (tokens: Tokens) =>
  (await readDeeds(redis)).filter(({ sid }) => sid === sidOf(tokens)).map(({ event }) => event);

type Listed = { id: string; current: boolean; created_at: string; last_used_at: string; expires_at: string };

const list = async (tokens: Tokens) => {
  const answer = await call(service.url, "GET", "/api/auth/sessions", { token: tokens.access_token });
  expect(answer.status).toBe(200);
  return (answer.body as { sessions: Listed[] }).sessions;
};

describe("refresh", () => {
  it("gives a new pair, and the earlier access token lives on", async () => {
    const first = await register(service.url);
    const second = await refreshed(service.url, first);
    expect(second.user).toEqual(first.user);
    expect(second).toMatchObject({ token_type: "Bearer", expires_in: 900, refresh_expires_in: 30 * 86_400 });
    expect(sidOf(second)).toBe(sidOf(first));
    expect(decodePart(second.access_token, 1)["jti"]).not.toBe(decodePart(first.access_token, 1)["jti"]);
    expect(generationOf(second)).toBe(1);
    expect(await isAccepted(first)).toBe(true);
    expect(await isAccepted(second)).toBe(true);
  });

  it("gives everyone who comes at once, or asks again in time, the same successor", async () => {
    const first = await register(service.url);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => refresh(service.url, first.refresh_token)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
    expect(new Set(answers.map(({ body }) => generationOf(body as Tokens)))).toEqual(new Set([1]));
    const again = await refreshed(service.url, first);
    expect(generationOf(again)).toBe(1);
    expect(generationOf(await refreshed(service.url, again))).toBe(2);
  });

  it("takes the parent after its grace for theft: the session ends, and an event says so", async () => {
    const first = await register(service.url);
    const second = await refreshed(strict.url, first);
    expectRefusal(await refresh(strict.url, first.refresh_token), 401, "refresh_token_reused");
    expectRefusal(await refresh(service.url, second.refresh_token), 401, "refresh_token_invalid");
    expectRefusal(await me(service.url, second.access_token), 401, "token_revoked");
    expectRefusal(await me(service.url, first.access_token), 401, "token_revoked");
    expect(await eventsOf(first)).toEqual(["refresh_reused"]);
    const entry = JSON.parse((await redis.admin.get(`curfew:denylist:sid:${sidOf(first)}`)) ?? "") as unknown;
    expect(entry).toMatchObject({ reason: "refresh_reused", by: "curfew" });
  });

  it("gives grace to the immediate parent only", async () => {
    const first = await register(service.url);
    const second = await refreshed(service.url, first);
    const third = await refreshed(service.url, second);
    expectRefusal(await refresh(service.url, first.refresh_token), 401, "refresh_token_reused");
    expectRefusal(await me(service.url, third.access_token), 401, "token_revoked");
  });

  it("grace ends REFRESH_GRACE_SECONDS after the rotation", async () => {
    const brief = await startService({ REDIS_URL: redis.url, REFRESH_GRACE_SECONDS: "1" });
    const first = await register(brief.url);
    await refreshed(brief.url, first);
    await refreshed(brief.url, first);
    const sessionKey = `curfew:session:${sidOf(first)}`;
    // A second later, as far as this session knows.
    await redis.admin.hincrby(sessionKey, "generation_since_ms", -1000);
    expectRefusal(await refresh(brief.url, first.refresh_token), 401, "refresh_token_reused");
    await brief.stop();
  });

  it("remembers what was used before, across a restart of the service", async () => {
    const first = await register(service.url);
    const second = await refreshed(service.url, first);
    const restarted = await startService({ REDIS_URL: redis.url, REFRESH_GRACE_SECONDS: "0" });
    expectRefusal(await refresh(restarted.url, first.refresh_token), 401, "refresh_token_reused");
    expectRefusal(await refresh(restarted.url, second.refresh_token), 401, "refresh_token_invalid");
    await restarted.stop();
  });

  it("and across a restart of Redis, however it ended", async () => {
    const kept = await startRedis(["--appendonly yes", "--appendfsync always"]);
    const strictOnKept = await startService({ REDIS_URL: kept.url, REFRESH_GRACE_SECONDS: "0" });
    const { url } = strictOnKept;
    const first = await register(url);
    const second = await refreshed(url, first);
    await kept.kill();
    await kept.start();
    await untilReady(url);
    expectRefusal(await refresh(url, first.refresh_token), 401, "refresh_token_reused");
    expectRefusal(await refresh(url, second.refresh_token), 401, "refresh_token_invalid");
    expectRefusal(await me(url, second.access_token), 401, "token_revoked");
    await strictOnKept.stop();
    await kept.stop();
  });

  it("takes a generation ahead of the stored one, because then Redis went back in time, and tells of it", async () => {
    const first = await register(service.url);
    const second = await refreshed(service.url, first);
    const third = await refreshed(service.url, second);
    await redis.admin.hset(`curfew:session:${sidOf(first)}`, "generation", "0");
    const fourth = await refreshed(service.url, third);
    expect(generationOf(fourth)).toBe(3);
    expect(await eventsOf(first)).toEqual(["refresh_ahead"]);
  });

  it("ends for good after SESSION_MAX_TTL, however much it is used", async () => {
    const env = { REDIS_URL: redis.url, ACCESS_TTL: "2s", REFRESH_TTL: "2s", SESSION_MAX_TTL: "2s" };
    const short = await startService(env);
    let tokens = await register(short.url);
    const first = tokens;
    await eventually(async () => {
      const answer = await refresh(short.url, tokens.refresh_token);
      if (answer.status === 200) tokens = answer.body as Tokens;
      else expectRefusal(answer, 401, "refresh_token_invalid");
      return answer.status !== 200;
    });
    expect(decodePart(`.${tokens.refresh_token}`, 1)["exp"]).toBe(
      decodePart(`.${first.refresh_token}`, 1)["exp"],
    );
    expect(decodePart(tokens.access_token, 1)["exp"]).toBe(decodePart(first.access_token, 1)["exp"]);
    await short.stop();
  });

  it("leaves no refresh token in Redis", async () => {
    const tokens = await refreshed(service.url, await register(service.url));
    const mac = tokens.refresh_token.split(".")[1] ?? "";
    expect(mac).toHaveLength(43);
    for (const key of await redis.admin.keys("curfew:*")) {
      const dump = await redis.admin.dumpBuffer(key);
      expect(dump.includes(mac)).toBe(false);
    }
  });

  it("tells Redis neither a token nor a password", async () => {
    const monitor = await redis.admin.monitor();
    const commands: string[] = [];
    monitor.on("monitor", (_time: string, command: string[]) => commands.push(command.join(" ")));
    const first = await register(service.url);
    const tokens = await refreshed(service.url, first);
    expect(await isAccepted(tokens)).toBe(true);
    await call(service.url, "POST", "/api/auth/logout", {
      token: tokens.access_token,
      body: { refresh_token: tokens.refresh_token },
    });
    await redis.admin.set("seen", "by the monitor");
    await eventually(() => Promise.resolve(commands.some((command) => command.includes("by the monitor"))));
    monitor.disconnect();
    const said = commands.join("\n");
    expect(said).toContain(sidOf(first));
    const signatureOf = (token: string) => token.split(".").at(-1) ?? "";
    for (const { access_token, refresh_token } of [first, tokens]) {
      for (const token of [access_token, refresh_token]) expect(said).not.toContain(signatureOf(token));
    }
    expect(said).not.toContain(PASSWORD);
  });

  it("refuses an account that is gone, and gives the roles that it has now", async () => {
    const tokens = await register(service.url);
    await redis.admin.hset(`curfew:user:${tokens.user.id}`, "roles", "editor,ops");
    const next = await refreshed(service.url, tokens);
    expect(next.user.roles).toEqual(["editor", "ops"]);
    expect(decodePart(next.access_token, 1)["roles"]).toEqual(["editor", "ops"]);
    await redis.admin.del(`curfew:user:${tokens.user.id}`);
    expectRefusal(await refresh(service.url, next.refresh_token), 401, "refresh_token_invalid");
    expectRefusal(await me(service.url, next.access_token), 401, "token_revoked");
  });

  it.each([
    ["a number", { refresh_token: 1 }],
    ["an unknown key", { refresh_token: "x", scope: "admin" }],
  ])("answers 400 to %s, and says that the token is missing where there is none", async (_title, body) => {
    expectRefusal(await call(service.url, "POST", "/api/auth/refresh"), 401, "token_missing");
    expectRefusal(await call(service.url, "POST", "/api/auth/refresh", { body }), 400, "invalid_request");
  });
});

describe("a stalled refresh", () => {
  it("changes nothing when Redis meets it after it was given up, so that its owner can try again", async () => {
    const tokens = await register(service.url);
    const next = await refreshed(service.url, tokens);
    const session = () => redis.admin.hgetall(`curfew:session:${sidOf(tokens)}`);
    const before = await session();
    expect(Number(before["latest_exp"])).toBe(decodePart(next.access_token, 1)["exp"]);

    // Only writes wait, so that the refresh stalls where it would change the session.
    await redis.admin.call("CLIENT", "PAUSE", "60000", "WRITE");
    expectRefusal(await refresh(service.url, next.refresh_token), 503, "denylist_unavailable");
    await redis.admin.call("CLIENT", "UNPAUSE");
    expect(await session()).toEqual(before);

    const retried = await refreshed(service.url, next);
    expect(generationOf(retried)).toBe(2);
    await logout(service.url, tokens.access_token);
    expectRefusal(await me(service.url, retried.access_token), 401, "token_revoked");
    const ttl = await redis.admin.ttl(`curfew:denylist:sid:${sidOf(tokens)}`);
    expect(Date.now() / 1000 + ttl).toBeGreaterThan(Number(decodePart(retried.access_token, 1)["exp"]));
  });
});

describe("the list of sessions", () => {
  it("shows each device, marks the caller's, and leaves out what has ended", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    const laptop = await login(service.url, phone.user.email);
    await refreshed(service.url, laptop);
    await logout(service.url, tablet.access_token);
    const sessions = await list(phone);
    expect(sessions.map(({ id, current }) => [id, current])).toEqual([
      [sidOf(phone), true],
      [sidOf(laptop), false],
    ]);
    expect(sessions[0]).toEqual({
      id: sidOf(phone),
      current: true,
      created_at: expect.stringMatching(/Z$/) as string,
      last_used_at: expect.stringMatching(/Z$/) as string,
      expires_at: expect.stringMatching(/Z$/) as string,
      ip: "127.0.0.1",
      user_agent: "node",
    });
    expect(Date.parse(sessions[1]?.last_used_at ?? "")).toBeGreaterThan(
      Date.parse(sessions[1]?.created_at ?? ""),
    );
  });

  it("DELETE of one ends it, again and again, but none of anybody else's", async () => {
    const [phone, stranger] = [await register(service.url), await register(service.url)];
    const tablet = await login(service.url, phone.user.email);
    const end = (id: string) =>
      call(service.url, "DELETE", `/api/auth/sessions/${id}`, { token: phone.access_token });
    for (const id of [sidOf(stranger), "no-such-session", "*", "%2e%2e", encodeURIComponent("a:b{c}")]) {
      expectRefusal(await end(id), 404, "not_found");
    }
    expect(await isAccepted(stranger)).toBe(true);
    expect((await end(sidOf(tablet))).status).toBe(204);
    expect((await end(sidOf(tablet))).status).toBe(204);
    expectRefusal(await me(service.url, tablet.access_token), 401, "token_revoked");
    expectRefusal(await refresh(service.url, tablet.refresh_token), 401, "refresh_token_invalid");
    expect(await isAccepted(phone)).toBe(true);
  });

  it("DELETE of all ends every session but the caller's", async () => {
    const phone = await register(service.url);
    const others = [await login(service.url, phone.user.email), await login(service.url, phone.user.email)];
    const answer = await call(service.url, "DELETE", "/api/v1/auth/sessions", { token: phone.access_token });
    expect(answer.status).toBe(204);
    for (const other of others)
      expectRefusal(await me(service.url, other.access_token), 401, "token_revoked");
    expect(await list(phone)).toHaveLength(1);
  });

  it("holds a hundred sessions: the oldest ends when one more is opened", async () => {
    const first = await register(service.url);
    const second = await login(service.url, first.user.email);
    for (let count = 2; count < 100; count += 1) await login(service.url, first.user.email);
    expect(await list(first)).toHaveLength(100);
    const newest = await login(service.url, first.user.email);
    expectRefusal(await me(service.url, first.access_token), 401, "token_revoked");
    expect(await isAccepted(second)).toBe(true);
    expect(await list(newest)).toHaveLength(100);

    // One that lapsed makes room by itself.
    await redis.admin.del(`curfew:session:${sidOf(newest)}`);
    await login(service.url, first.user.email);
    expect(await isAccepted(second)).toBe(true);
    expect(await redis.admin.zcard(`curfew:user-sessions:${first.user.id}`)).toBe(100);
  }, 60_000);

  it("every session and every index of sessions has a TTL", async () => {
    await register(service.url);
    const keys = await redis.admin.keys("curfew:*session*");
    expect(keys.length).toBeGreaterThanOrEqual(2);
    for (const key of keys) {
      expect(await redis.admin.pttl(key)).toBeGreaterThan(0);
    }
  });
});
