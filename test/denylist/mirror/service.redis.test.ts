import { call, eventually, expectRefusal, logout, me, register } from "../../helpers/client";
import { scrape } from "../../helpers/metrics";
import { becomeOps } from "../../helpers/ops-user";
import { useRedis } from "../../helpers/redis";
import { useService } from "../../helpers/service";

const redis = useRedis([], { mayTrack: true });
const env = () => ({
  REDIS_URL: redis.url,
  DENYLIST_MODE: "mirror",
  MIRROR_MAX_STALENESS_MS: "20000",
});
const [service, other] = [useService(env), useService(env)];

it("accepts and refuses on every instance as direct mode does, and a clean check asks nothing", async () => {
  const { access_token: token } = await register(service.url);
  const { access_token: stays } = await register(other.url);
  for (const { url } of [service, other]) expect((await me(url, token)).status).toBe(200);
  expect((await logout(service.url, token)).status).toBe(200);
  expectRefusal(await me(service.url, token), 401, "token_revoked");
  await eventually(async () => (await me(other.url, token)).status === 401);
  const verify = () => call(other.url, "GET", "/api/auth/verify", { token: stays });
  const asked = async () =>
    Number(/cmdstat_exists:calls=(\d+)/.exec(await redis.admin.info("commandstats"))?.[1]);
  await eventually(async () => {
    const before = await asked();
    expect((await verify()).status).toBe(204);
    return (await asked()) === before;
  });
});

it("tells its size and how old it is, as metrics and to ops", async () => {
  await redis.admin.set("curfew:denylist:jti:by-hand", "", "EX", 600);
  await eventually(async () => {
    const samples = await scrape(service.url);
    return (samples.get("curfew_mirror_entries") ?? 0) >= 1;
  });
  const staleness = (await scrape(service.url)).get("curfew_mirror_staleness_seconds");
  expect(staleness).toBeGreaterThanOrEqual(0);
  expect(staleness).toBeLessThan(20);
  const { access_token: token } = await becomeOps(service.url, redis);
  const { body } = await call(service.url, "GET", "/api/ops/status", { token });
  const { mirror } = body as { mirror: { state: string; entries: number; staleness_ms: number } };
  expect(mirror.state).toMatch(/^(fresh|stale)$/);
  expect(mirror.entries).toBeGreaterThanOrEqual(1);
  expect(mirror.staleness_ms).toBeGreaterThanOrEqual(0);
});
