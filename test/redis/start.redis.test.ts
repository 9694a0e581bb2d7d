import { once } from "node:events";
import { isDeepStrictEqual } from "node:util";
import { check, login } from "../faults/stage";
import {
  call,
  eventually,
  expectRefusal,
  logout,
  me,
  PASSWORD,
  refresh,
  register,
  untilReady,
  type Tokens,
} from "../helpers/client";
import { startCluster } from "../helpers/cluster";
import { startProxy } from "../helpers/proxy";
import { startRedis, type TestRedis } from "../helpers/redis";
import { startSentinel } from "../helpers/sentinel";
import { startService, type TestService } from "../helpers/service";

/** It doesn't matter who is started first: what needs Redis is refused until there is one, and then works. */
const KEEPS_ALL = ["--appendonly yes", "--appendfsync always"];

/** Where a service finds its Redis, or doesn't. */
type Place = {
  env: NodeJS.ProcessEnv;
  leave(): Promise<unknown>;
  comeBack(): Promise<unknown>;
  stop(): Promise<unknown>;
};

async function single(): Promise<Place> {
  const redis = await startRedis(KEEPS_ALL);
  return {
    env: { REDIS_URL: redis.url },
    leave: () => redis.kill(),
    comeBack: () => redis.start(),
    stop: () => redis.stop(),
  };
}

/** The sentinels are what isn't there. */
async function sentinel(): Promise<Place> {
  const { url, name, stop } = await startSentinel({ replicas: 0, sentinels: 1, options: KEEPS_ALL });
  const wire = await startProxy(Number(new URL(url).port));
  const there = new URL(url);
  there.port = String(wire.port);
  return {
    env: { REDIS_MODE: "sentinel", REDIS_SENTINEL_NAME: name, REDIS_URL: there.href },
    leave: () => wire.refuse(),
    comeBack: () => wire.accept(),
    async stop() {
      await wire.stop();
      await stop();
    },
  };
}

async function cluster(): Promise<Place> {
  const { url, nodes, untilSettled, stop } = await startCluster({ options: KEEPS_ALL });
  return {
    env: { REDIS_MODE: "cluster", REDIS_URL: url },
    leave: () => Promise.all(nodes.map((node) => node.kill())),
    async comeBack() {
      await Promise.all(nodes.map((node) => node.start()));
      await untilSettled();
    },
    stop,
  };
}

const linesOf = ({ log }: TestService, msg: string) =>
  log
    .filter((line) => line.startsWith("{"))
    .filter((line) => (JSON.parse(line) as { msg: string }).msg === msg);

async function expectNothingWorks(url: string, tokens: Tokens): Promise<void> {
  const { access_token, refresh_token, user } = tokens;
  const body = { email: "new@example.com", password: PASSWORD };
  const answers = [
    await check(url, tokens),
    await me(url, access_token),
    await call(url, "GET", "/api/auth/sessions", { token: access_token }),
    await call(url, "POST", "/api/auth/register", { body }),
    await login(url, user.email),
    await refresh(url, refresh_token),
    await logout(url, tokens.access_token),
    await call(url, "POST", "/api/v1/auth/logout", { body: { refresh_token } }),
  ];
  for (const answer of answers) expectRefusal(answer, 503, "denylist_unavailable");
}

describe("a service that is started before its Redis", () => {
  let place: Place;
  let service: TestService;
  afterEach(async () => {
    await service.stop();
    await place.stop();
  });

  it.each([
    ["a single one", single],
    ["one that sentinels name", sentinel],
    ["a cluster", cluster],
  ])(
    "waits for it and needs no restart, where it is %s",
    async (_what, open) => {
      place = await open();
      const before = await startService(place.env);
      const stays = await register(before.url);
      const left = await register(before.url);
      expect((await logout(before.url, left.access_token)).status).toBe(200);
      await before.stop();
      await place.leave();

      service = await startService(place.env);
      const { url } = service;
      expect((await call(url, "GET", "/healthz")).status).toBe(200);
      const ready = await call(url, "GET", "/readyz");
      expectRefusal(ready, 503, "denylist_unavailable");
      expect(ready.body).toMatchObject({
        details: [{ path: "redis", message: expect.stringMatching(/\w/) as string }],
      });
      await expectNothingWorks(url, stays);
      await expectNothingWorks(url, left);
      await eventually(() => Promise.resolve(service.log.join("\n").includes("can't reach Redis yet")));
      expect(linesOf(service, "redis is ready")).toEqual([]);

      await place.comeBack();
      await untilReady(url);
      expect((await check(url, stays)).status).toBe(204);
      expectRefusal(await check(url, left), 401, "token_revoked");
      expectRefusal(await refresh(url, left.refresh_token), 401, "refresh_token_invalid");
      expect((await refresh(url, stays.refresh_token)).status).toBe(200);
      expect((await login(url, left.user.email)).status).toBe(200);
      expect((await logout(url, (await register(url)).access_token)).status).toBe(200);
      expect((await call(url, "GET", "/readyz")).body).toMatchObject({ warnings: [] });
      await eventually(() => Promise.resolve(linesOf(service, "redis is ready").length > 0));
      expect(linesOf(service, "redis is ready")).toHaveLength(1);
    },
    60_000,
  );
});

describe("a password", () => {
  const WRONG = "wrong-canary";
  let redis: TestRedis;
  let service: TestService;
  beforeEach(async () => {
    redis = await startRedis(KEEPS_ALL);
  });
  afterEach(async () => {
    await service.stop();
    await redis.stop();
  });

  it("that Redis refuses, when there is one at last, ends the service with exit code 78", async () => {
    await redis.kill();
    service = await startService({ REDIS_URL: redis.url.replace("only-for-tests", WRONG) });
    expect((await call(service.url, "GET", "/healthz")).status).toBe(200);
    const exited = once(service.process, "exit");
    await redis.start();
    expect(await exited).toEqual([78, null]);
    const log = service.log.join("\n");
    expect(log).toMatch(/REDIS_URL: Redis refuses its user or password \(WRONGPASS\)/);
    expect(log).not.toContain(WRONG);
  });

  it("that is changed while the service runs doesn't end it: it waits for the right one", async () => {
    const { url: redisUrl, admin } = redis;
    service = await startService({ REDIS_URL: redisUrl });
    const { url } = service;
    const tokens = await register(url);
    const setPassword = (password: string) =>
      admin.call("ACL", "SETUSER", "curfew", "resetpass", `>${password}`);
    await setPassword("another");
    await admin.call("CLIENT", "KILL", "USER", "curfew");
    const refused = [{ path: "redis", message: "WRONGPASS" }];
    await eventually(async () => {
      const { body } = await call(url, "GET", "/readyz");
      return isDeepStrictEqual((body as { details?: unknown }).details, refused);
    });
    expectRefusal(await check(url, tokens), 503, "denylist_unavailable");
    expect((await call(url, "GET", "/healthz")).status).toBe(200);
    await setPassword(new URL(redisUrl).password);
    await untilReady(url);
    expect((await check(url, tokens)).status).toBe(204);
    expect(service.process.exitCode).toBeNull();
  });
});
