import { randomUUID } from "node:crypto";
import { CurfewError } from "../../src/errors";
import { createMeter } from "../../src/metrics/meter";
import { createMetrics } from "../../src/metrics/metrics";
import type { Redis } from "../../src/redis/redis";
import { createOneShard } from "../../src/redis/shards";
import { call, eventually, login, logout, me, PASSWORD, refresh, register } from "../helpers/client";
import { openDevices } from "../helpers/leaving";
import { risenIn, scrape, type Samples } from "../helpers/metrics";
import { basic, CLIENT, writeClients } from "../helpers/oauth-client";
import { useRedis } from "../helpers/redis";
import { startService, useService } from "../helpers/service";

const redis = useRedis();
const service = useService(() => ({
  REDIS_URL: redis.url,
  REFRESH_GRACE_SECONDS: "0",
  OAUTH_CLIENTS_FILE: writeClients(CLIENT),
}));

const read = () => scrape(service.url);

/** By how much a metric rises while something is done. */
async function riseOf(name: string, act: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await read();
  await act();
  return risenIn(before, await read(), name);
}

const verify = (token: string) => call(service.url, "GET", "/api/auth/verify", { token });
const introspect = (token: string) =>
  call(service.url, "POST", "/oauth/introspect", {
    form: new URLSearchParams({ token }).toString(),
    headers: { Authorization: basic(CLIENT) },
  });

describe("curfew_checks_total", () => {
  it("counts each verdict of the guard, of /verify and of introspection", async () => {
    const tokens = await register(service.url);
    const checks = [me.bind(undefined, service.url), verify, introspect];
    const checkAll = async (token: string) => {
      for (const check of checks) await check(token);
    };
    const rise = (act: () => Promise<unknown>) => riseOf("curfew_checks_total", act);
    expect(await rise(() => checkAll(tokens.access_token))).toEqual({ accepted: 3 });
    expect(await rise(() => checkAll("forged"))).toEqual({ token_invalid: 3 });
    expect(await rise(() => call(service.url, "GET", "/api/users/me"))).toEqual({ token_missing: 1 });
    await logout(service.url, tokens.access_token);
    expect(await rise(() => checkAll(tokens.access_token))).toEqual({ token_revoked: 3 });
    expect(await rise(() => introspect(tokens.refresh_token))).toEqual({ refresh_token_invalid: 1 });
  });

  it("counts a verdict that took no time, too", async () => {
    const meter = createMeter();
    const claims = { sub: "u" };
    expect(meter.countVerdicts(() => claims)(undefined)).toBe(claims);
    const refuse = meter.countVerdicts(() => {
      throw new CurfewError("token_missing");
    });
    expect(() => refuse(undefined)).toThrow(CurfewError);
    const text = await meter.registry.metrics();
    expect(text).toContain('curfew_checks_total{result="accepted"} 1\n');
    expect(text).toContain('curfew_checks_total{result="token_missing"} 1\n');
  });

  it("counts a fault of ours as one", async () => {
    const meter = createMeter();
    const check = meter.countVerdicts(() => Promise.reject(new TypeError("x")));
    await expect(check(undefined)).rejects.toThrow(TypeError);
    expect(await meter.registry.metrics()).toContain('curfew_checks_total{result="internal"} 1\n');
  });

  it("has a 0 for each common verdict before the first, so that the first is seen as a rise", async () => {
    const other = await startService({ REDIS_URL: redis.url });
    const samples = await scrape(other.url);
    for (const result of ["accepted", "token_revoked", "denylist_unavailable"])
      expect(samples.get(`curfew_checks_total{result="${result}"}`)).toBe(0);
    expect(samples.get('curfew_revocations_total{reason="logout"}')).toBe(0);
    await other.stop();
  });
});

describe("curfew_check_duration_seconds", () => {
  const count = (samples: Samples) => samples.get("curfew_check_duration_seconds_count");

  it("takes the time of each check that the denylist answered, and of no other", async () => {
    const { access_token: token } = await register(service.url);
    const before = await read();
    await me(service.url, token);
    await me(service.url, "forged");
    const after = await read();
    expect(Number(count(after)) - Number(count(before))).toBe(1);
    expect(risenIn(before, after, "curfew_check_duration_seconds_sum")).not.toEqual({});
    const buckets = [...after.keys()].filter((name) =>
      name.startsWith("curfew_check_duration_seconds_bucket"),
    );
    const bounds = buckets.map((name) => /le="(.*)"/.exec(name)?.[1]);
    expect(bounds[0]).toBe("0.00025");
    expect(bounds.slice(-2)).toEqual(["1", "+Inf"]);
  });
});

describe("curfew_revocations_total", () => {
  const rise = (act: () => Promise<unknown>) => riseOf("curfew_revocations_total", act);

  it("counts what was revoked, by reason, and a logout that is repeated once", async () => {
    const tokens = await register(service.url);
    const { email } = tokens.user;
    expect(await rise(() => logout(service.url, tokens.access_token))).toEqual({ logout: 1 });
    expect(await rise(() => logout(service.url, tokens.access_token))).toEqual({});

    const [one, two] = [await login(service.url, email), await login(service.url, email)];
    const { access_token: token } = two;
    expect(await rise(() => call(service.url, "DELETE", "/api/auth/sessions", { token }))).toEqual({
      session_ended: 1,
    });
    expect((await me(service.url, one.access_token)).status).toBe(401);

    await refresh(service.url, two.refresh_token);
    expect(await rise(() => refresh(service.url, two.refresh_token))).toEqual({ refresh_reused: 1 });
  });

  it("counts each session that all devices or a change of password ended", async () => {
    const devices = await openDevices(service.url, 2);
    const [token = "", another = ""] = devices.map(({ access_token }) => access_token);
    const change = { current_password: PASSWORD, new_password: "another unlikely passphrase" };
    expect(
      await rise(() => call(service.url, "POST", "/api/auth/password", { token: another, body: change })),
    ).toEqual({ password_changed: 3 });
    expect((await me(service.url, token)).status).toBe(401);

    const [first, ...others] = await openDevices(service.url, 2);
    expect(others).toHaveLength(1);
    expect(
      await rise(() =>
        call(service.url, "POST", "/api/auth/logout", {
          token: first?.access_token ?? "",
          body: { all_devices: true },
        }),
      ),
    ).toEqual({ logout_all_devices: 3 });
  });

  it("counts a session that a login ended because there were too many", async () => {
    const tokens = await register(service.url);
    const key = `curfew:user-sessions:${tokens.user.id}`;
    const session = await redis.admin.hgetall(
      `curfew:session:${(await redis.admin.zrange(key, 0, 0))[0] ?? ""}`,
    );
    for (let at = 0; at < 99; at += 1) {
      const sid = randomUUID();
      await redis.admin.hset(`curfew:session:${sid}`, session);
      await redis.admin.zadd(key, Date.now() + at, sid);
    }
    expect(await rise(() => login(service.url, tokens.user.email))).toEqual({ session_ended: 1 });
  });
});

it("counts the uses of revoked tokens that were refused", async () => {
  const tokens = await register(service.url);
  await logout(service.url, tokens.access_token);
  const rise = await riseOf("curfew_revoked_token_uses_total", async () => {
    await me(service.url, tokens.access_token);
    await verify(tokens.access_token);
  });
  expect(rise).toEqual({ curfew_revoked_token_uses_total: 2 });
});

it("counts requests by the route's pattern, whatever stands in the path", async () => {
  const { access_token: token } = await register(service.url);
  const before = await read();
  for (const path of ["/api/auth/sessions/one", "/api/auth/sessions/two", "/API/auth/SESSIONS/three"])
    await call(service.url, "DELETE", path, { token });
  await call(service.url, "GET", `/api/auth/verify/${randomUUID()}`, { token });
  for (let at = 0; at < 3; at += 1) await call(service.url, "PROPFIND", `/${randomUUID()}`);
  const after = await read();
  const name = "curfew_http_requests_total";
  const risen = [...after].filter(
    ([sample, value]) => sample.startsWith(name) && value > (before.get(sample) ?? 0),
  );
  expect(
    risen.map(([sample, value]) => [sample.slice(name.length), value - (before.get(sample) ?? 0)]),
  ).toEqual(
    expect.arrayContaining([
      ['{method="DELETE",route="/api/auth/sessions/:id",status="404"}', 3],
      ['{method="GET",route="/api/auth/verify/…",status="204"}', 1],
      ['{method="other",route="other",status="404"}', 3],
    ]),
  );
  // And the scrape itself.
  expect(risen).toHaveLength(4);
});

it("counts the entries that are alive in Redis, also those that somebody wrote by hand", async () => {
  await logout(service.url, (await register(service.url)).access_token);
  await redis.admin.set("curfew:denylist:sub:clerk:somebody", "why", "EX", 900);
  await redis.admin.set(`curfew:user-email:denylist:jti:${randomUUID()}`, "no entry");
  const other = await startService({ REDIS_URL: redis.url });
  const kinds = { token: "jti", session: "sid", user: "sub" };
  const entries = (samples: Samples, kind: string) => samples.get(`curfew_denylist_entries{kind="${kind}"}`);
  await eventually(async () => entries(await scrape(other.url), "user") !== undefined);
  const samples = await scrape(other.url);
  for (const [kind, part] of Object.entries(kinds)) {
    const keys = await redis.admin.keys(`curfew:denylist:${part}:*`);
    expect(keys.length).toBeGreaterThan(0);
    expect([kind, entries(samples, kind)]).toEqual([kind, keys.length]);
  }
  await other.stop();
});

it("leaves the number of entries out where nobody may count them, rather than say 0", async () => {
  await redis.admin.call("ACL", "SETUSER", "curfew", "-scan");
  const other = await startService({ REDIS_URL: redis.url });
  await scrape(other.url);
  const isRefused = async () => JSON.stringify(await redis.admin.call("ACL", "LOG")).includes('"scan"');
  await eventually(isRefused);
  expect([...(await scrape(other.url)).keys()].join()).not.toContain("curfew_denylist_entries");
  await redis.admin.call("ACL", "SETUSER", "curfew", "+scan");
  await other.stop();
});

it("says what is wrong with a Redis that answers, for as long as it is", async () => {
  const warnings = async () =>
    [...(await read()).keys()].flatMap(
      (name) => /^curfew_redis_warning\{code="(.*)"\}$/.exec(name)?.[1] ?? [],
    );
  expect(await warnings()).toEqual(["no_append_only_file"]);
  await redis.admin.config("SET", "maxmemory-policy", "allkeys-lru");
  await eventually(async () => (await warnings()).includes("eviction_policy"));
  await redis.admin.config("SET", "maxmemory-policy", "noeviction");
  await eventually(async () => !(await warnings()).includes("eviction_policy"));
});

it("says since when the denylist remembers", async () => {
  const epoch = await redis.admin.get("curfew:denylist:epoch");
  expect((await read()).get("curfew_denylist_epoch_started_timestamp_seconds")).toBe(
    Number.parseInt(epoch ?? "", 10),
  );
});

it("has the hash queue and what Node says of itself", async () => {
  const samples = await read();
  for (const state of ["running", "waiting"])
    expect(samples.get(`curfew_password_queue{state="${state}"}`)).toBe(0);
  for (const name of ["nodejs_eventloop_lag_p99_seconds", "process_cpu_seconds_total"])
    expect(samples.get(name)).toBeGreaterThanOrEqual(0);
  expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(0);
});

it("isn't up while only one of two connections is", async () => {
  const redis = {
    ways: ["checking", "writing"],
    generation: (way: string) => (way === "checking" ? "a" : undefined),
    warnings: () => [],
    ask: () => Promise.reject(new Error("it is away")),
  } as unknown as Redis;
  const { read } = createMetrics({
    ...{ meter: createMeter(), redis, shards: createOneShard("curfew:"), mirror: undefined },
    ...{ alarms: { total: () => 0 }, epochs: { known: () => undefined } },
    passwords: { queue: () => ({ running: 0, waiting: 0 }) },
  });
  expect(await read()).toContain("\ncurfew_redis_up 0\n");
});

it("is answered at once while Redis hangs, and says so", async () => {
  const { access_token: token } = await register(service.url);
  expect((await read()).get("curfew_redis_up")).toBe(1);
  const before = await read();
  process.kill(redis.pid, "SIGSTOP");
  // REDIS_TIMEOUT_MS is a second here.
  const startedAt = performance.now();
  await read();
  expect(performance.now() - startedAt).toBeLessThan(500);
  await me(service.url, token);
  await eventually(async () => (await read()).get("curfew_redis_up") === 0);
  const after = await read();
  expect(risenIn(before, after, "curfew_checks_total")).toEqual({ denylist_unavailable: 1 });
  expect(risenIn(before, after, "curfew_check_duration_seconds")).toEqual({});
  process.kill(redis.pid, "SIGCONT");
  await eventually(async () => (await read()).get("curfew_redis_up") === 1);
});
