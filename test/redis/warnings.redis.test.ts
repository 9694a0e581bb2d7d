import { once } from "node:events";
import { readInfo, warningsOf } from "../../src/redis/info";
import { check, timed } from "../faults/stage";
import {
  eventually,
  expectRefusal,
  call,
  logout,
  me,
  refresh,
  register,
  untilReady,
} from "../helpers/client";
import { startCluster } from "../helpers/cluster";
import { startRedis, type TestRedis } from "../helpers/redis";
import { SECRET, startService, type TestService } from "../helpers/service";

/** A Redis that may forget is no secret, and in production none to start with. */
const APPEND_ONLY = "--appendonly yes";

let redis: TestRedis;
const services: TestService[] = [];

async function start(options: string[], env: NodeJS.ProcessEnv = {}): Promise<TestService> {
  redis = await startRedis(options);
  return join(env);
}

/** One more, of the same Redis. */
async function join(env: NodeJS.ProcessEnv): Promise<TestService> {
  const service = await startService({ REDIS_URL: redis.url, ...env });
  services.push(service);
  return service;
}

afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop()));
  await redis.stop();
});

type Warning = { code: string; message: string };

async function warningsIn({ url }: TestService): Promise<Warning[]> {
  const { status, body } = await call(url, "GET", "/readyz");
  expect(status).toBe(200);
  return (body as { warnings: Warning[] }).warnings;
}

const codesIn = async (service: TestService) => (await warningsIn(service)).map(({ code }) => code);

const untilWarning = (service: TestService, ...codes: string[]) =>
  eventually(async () => (await codesIn(service)).join() === codes.join());

type Line = { level: number; warning?: string };
const [INFO, WARN] = [30, 40];

/** The levels of what the log says of a warning, in its order: it begins with one line and ends with another. */
const toldOf = ({ log }: TestService, code: string) =>
  log
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ warning }) => warning === code)
    .map(({ level }) => level);

/** Whoever wants to get in, stay in or leave can. */
async function expectWorking({ url }: TestService): Promise<void> {
  const tokens = await register(url);
  expect((await check(url, tokens)).status).toBe(204);
  const next = (await refresh(url, tokens.refresh_token)).body as typeof tokens;
  expect((await logout(url, next.access_token)).status).toBe(200);
  for (const { access_token } of [tokens, next]) {
    expectRefusal(await me(url, access_token), 401, "token_revoked");
  }
}

it("of a Redis that is set up as it should be nothing is said", async () => {
  const service = await start([APPEND_ONLY, "--maxmemory-policy noeviction"]);
  expect(await warningsIn(service)).toEqual([]);
  expect(service.log.filter((line) => line.includes('"warning"'))).toEqual([]);
});

it("asks for neither CONFIG nor KEYS nor FLUSHALL, which its user may not", async () => {
  const service = await start([APPEND_ONLY]);
  await expectWorking(service);
  await warningsIn(service);
  for (const command of [["CONFIG", "GET", "maxmemory-policy"], ["KEYS", "*"], ["FLUSHALL"]]) {
    expect(await redis.admin.call("ACL", "DRYRUN", "curfew", ...command)).toMatch(/no permissions/);
  }
  const denied = ((await redis.admin.call("ACL", "LOG")) as string[][]).map((entry) => String(entry));
  for (const entry of denied) expect(entry).not.toMatch(/config|keys|flushall/i);
});

describe("a policy that evicts", () => {
  it("in development is told once in the log and always in /readyz, and the service works", async () => {
    const service = await start([APPEND_ONLY, "--maxmemory-policy allkeys-lru"]);
    // Before anybody asks.
    expect(toldOf(service, "eviction_policy")).toEqual([WARN]);
    expect(await warningsIn(service)).toEqual([
      { code: "eviction_policy", message: expect.stringMatching(/allkeys-lru.*noeviction/) as string },
    ]);
    await expectWorking(service);
    expect(toldOf(service, "eviction_policy")).toEqual([WARN]);
  });

  it("is noticed while the service runs, and so is its end: one line for each", async () => {
    const service = await start([APPEND_ONLY]);
    expect(await warningsIn(service)).toEqual([]);
    await redis.admin.config("SET", "maxmemory-policy", "allkeys-lfu");
    await untilWarning(service, "eviction_policy");
    // Another one of the kind is no news.
    await redis.admin.config("SET", "maxmemory-policy", "volatile-ttl");
    await eventually(async () => (await warningsIn(service))[0]?.message.includes("volatile-ttl") === true);
    expect(toldOf(service, "eviction_policy")).toEqual([WARN]);
    await redis.admin.config("SET", "maxmemory-policy", "noeviction");
    await untilWarning(service);
    await eventually(() => Promise.resolve(toldOf(service, "eviction_policy").length > 1));
    expect(toldOf(service, "eviction_policy")).toEqual([WARN, INFO]);
  });

  it("that has evicted something is told, too", async () => {
    const service = await start([APPEND_ONLY, "--maxmemory-policy volatile-ttl"]);
    expect(await codesIn(service)).toEqual(["eviction_policy"]);
    await evict();
    await untilWarning(service, "eviction_policy", "evicted_keys");
    await eventually(() => Promise.resolve(toldOf(service, "evicted_keys").length > 0));
    expect(toldOf(service, "evicted_keys")).toEqual([WARN]);
  });

  /** What expires first goes first, so that it is none of ours. */
  async function evict(): Promise<void> {
    const { admin } = redis;
    await admin.set("filler", "", "EX", 60);
    const used = Number(/^used_memory:(\d+)/m.exec(await admin.info("memory"))?.[1]);
    await admin.config("SET", "maxmemory", String(used + 100_000));
    for (let at = 0; (await admin.exists("filler")) === 1; at += 1) {
      await admin.set(`filler:${at}`, "x".repeat(10_000), "EX", 120);
    }
    expect(await admin.info("stats")).toMatch(/^evicted_keys:[1-9]/m);
    await admin.config("SET", "maxmemory", "0");
  }
});

describe("a Redis without an append-only file", () => {
  it("is told, until it keeps one", async () => {
    const service = await start([]);
    expect(await codesIn(service)).toEqual(["no_append_only_file"]);
    expect(toldOf(service, "no_append_only_file")).toEqual([WARN]);
    await redis.admin.config("SET", "appendonly", "yes");
    await untilWarning(service);
    await eventually(() => Promise.resolve(toldOf(service, "no_append_only_file").length > 1));
    expect(toldOf(service, "no_append_only_file")).toEqual([WARN, INFO]);
  });

  // A full disk can't be had without root.
  it("or with one that it can't write: as INFO says it", () => {
    const says = (status: string) =>
      `role:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\naof_last_write_status:${status}\r\n`;
    expect(warningsOf(readInfo(says("err")), 0)).toMatchObject([{ code: "append_only_file_failing" }]);
    expect(warningsOf(readInfo(says("ok")), 0)).toEqual([]);
  });
});

describe("a Redis of which we may not ask INFO", () => {
  it("works, and it is told that nobody knows whether it forgets", async () => {
    redis = await startRedis([APPEND_ONLY, "--maxmemory-policy allkeys-lru"]);
    await redis.admin.call("ACL", "SETUSER", "curfew", "-info");
    const service = await join({});
    expect(await codesIn(service)).toEqual(["unknown_persistence"]);
    expect(toldOf(service, "unknown_persistence")).toEqual([WARN]);
    await expectWorking(service);
  });

  it("in production, too", async () => {
    redis = await startRedis([APPEND_ONLY]);
    await redis.admin.call("ACL", "SETUSER", "curfew", "-info");
    const service = await join(PRODUCTION);
    expect(await codesIn(service)).toEqual(["unknown_persistence"]);
    await expectWorking(service);
  });

  it("goes on working when that is taken from us, and tells no more when it is given back", async () => {
    const service = await start([APPEND_ONLY]);
    const tokens = await register(service.url);
    await redis.admin.call("ACL", "SETUSER", "curfew", "-info");
    await untilWarning(service, "unknown_persistence");
    expect((await check(service.url, tokens)).status).toBe(204);
    await expectWorking(service);
    await redis.admin.call("ACL", "SETUSER", "curfew", "+info");
    await untilWarning(service);
    expect((await check(service.url, tokens)).status).toBe(204);
  });
});

describe("a Redis that lacks the replicas that a logout has to reach", () => {
  const WITH_REPLICA = { REVOKE_MIN_REPLICAS: "1" };

  it("is told: whoever wants to log out gets a 503 and is out nevertheless, and checks work", async () => {
    const lax = await start([APPEND_ONLY]);
    const [stays, leaves] = [await register(lax.url), await register(lax.url)];
    const service = await join(WITH_REPLICA);
    expect(await warningsIn(service)).toContainEqual({
      code: "too_few_replicas",
      message: expect.stringMatching(/\b0\b.*\b1\b/) as string,
    });
    expect(toldOf(service, "too_few_replicas")).toEqual([WARN]);

    expectRefusal(await timed(logout(service.url, leaves.access_token)), 503, "denylist_unavailable");
    expect((await check(service.url, stays)).status).toBe(204);
    // What it wrote is written: it only can't be promised.
    expectRefusal(await check(service.url, leaves), 401, "token_revoked");
    expect(await codesIn(lax)).toEqual([]);
  });

  it("is well as soon as one follows", async () => {
    const service = await start([APPEND_ONLY, "--repl-diskless-sync-delay 0"], WITH_REPLICA);
    expect(await codesIn(service)).toContain("too_few_replicas");
    const replica = await startRedis();
    try {
      await replica.admin.call("REPLICAOF", "127.0.0.1", redis.port);
      await untilWarning(service);
      await expectWorking(service);
    } finally {
      await replica.stop();
    }
  });
});

const PRODUCTION = { NODE_ENV: "production", HOST: "127.0.0.1" };
const EVICTING = [APPEND_ONLY, "--maxmemory-policy allkeys-lru"];
const REFUSED = /REDIS_URL: [^]*maxmemory-policy allkeys-lru[^]*noeviction[^]*ALLOW_EVICTION=on/;

describe("in production, a policy that evicts", () => {
  function expectNoSecret(text: string): void {
    for (const secret of [new URL(redis.url).password, SECRET]) expect(text).not.toContain(secret);
  }

  it("is refused: exit code 78, and what to do about it", async () => {
    redis = await startRedis(EVICTING);
    const error = await startService({ REDIS_URL: redis.url, ...PRODUCTION }).catch(String);
    expect(error).toMatch(/ended with 78/);
    expect(error).toMatch(REFUSED);
    expectNoSecret(error as string);
    expect(error).not.toContain('"listening"');
    // Not even an epoch.
    expect(await redis.admin.dbsize()).toBe(0);
  });

  it.each(["volatile-lru", "volatile-ttl"])("is refused also where it is %s", async (policy) => {
    redis = await startRedis([APPEND_ONLY, `--maxmemory-policy ${policy}`]);
    const error = await startService({ REDIS_URL: redis.url, ...PRODUCTION }).catch(String);
    expect(error).toMatch(/ended with 78/);
    expect(error).toContain(policy);
  });

  it("is put up with if it is allowed, and told", async () => {
    const service = await start(EVICTING, { ...PRODUCTION, ALLOW_EVICTION: "on" });
    expect(await codesIn(service)).toEqual(["eviction_policy"]);
    expect(toldOf(service, "eviction_policy")).toEqual([WARN]);
    await expectWorking(service);
  });

  it("is refused also of a Redis that comes later", async () => {
    redis = await startRedis(EVICTING);
    await redis.kill();
    const service = await join(PRODUCTION);
    expect((await call(service.url, "GET", "/readyz")).status).toBe(503);
    const exited = once(service.process, "exit");
    await redis.start();
    expect(await exited).toEqual([78, null]);
    expect(service.log.join("\n")).toMatch(REFUSED);
    expectNoSecret(service.log.join("\n"));
  });

  it("is only told where it comes later, also after a reconnect: whoever is in service stays there", async () => {
    const service = await start([APPEND_ONLY], PRODUCTION);
    await redis.admin.config("SET", "maxmemory-policy", "allkeys-lru");
    await untilWarning(service, "eviction_policy");
    await redis.admin.call("CLIENT", "KILL", "USER", "curfew");
    await untilReady(service.url);
    await expectWorking(service);
    expect(await codesIn(service)).toEqual(["eviction_policy"]);
    expect(toldOf(service, "eviction_policy")).toEqual([WARN]);
  });
});

it("in production, a policy that evicts is refused of any node of a cluster", async () => {
  const cluster = await startCluster({ options: [APPEND_ONLY] });
  try {
    const [, second] = cluster.nodes;
    await second?.admin.config("SET", "maxmemory-policy", "allkeys-lru");
    redis = await startRedis();
    const error = await startService({ REDIS_MODE: "cluster", REDIS_URL: cluster.url, ...PRODUCTION }).catch(
      String,
    );
    expect(error).toMatch(/ended with 78/);
    expect(error).toMatch(REFUSED);
  } finally {
    await cluster.stop();
  }
}, 60_000);
