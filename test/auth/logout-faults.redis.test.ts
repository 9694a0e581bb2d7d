import {
  call,
  eventually,
  expectRefusal,
  logout,
  me,
  refresh,
  register,
  untilReady,
  type Tokens,
} from "../helpers/client";
import { startProxy } from "../helpers/proxy";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

/** Rule 6: success is the truth. Redis is broken at every point of a logout; then it heals, and the truth is looked at. */
const redis = useRedis();
const wire = use(() => startProxy(redis.port));
const service = useService(() => ({ REDIS_URL: redis.url.replace(String(redis.port), String(wire.port)) }));

/** Either all of the logout happened or nothing did. */
async function isWhollyIn({ access_token, refresh_token }: Tokens): Promise<boolean> {
  const isIn = (await me(service.url, access_token)).status === 200;
  expect((await refresh(service.url, refresh_token)).status).toBe(isIn ? 200 : 401);
  return isIn;
}

async function expectLoggedOut(tokens: Tokens): Promise<void> {
  expect((await logout(service.url, tokens.access_token)).status).toBe(200);
  expectRefusal(await me(service.url, tokens.access_token), 401, "token_revoked");
  expectRefusal(await refresh(service.url, tokens.refresh_token), 401, "refresh_token_invalid");
}

const REPLY = "$4\r\ndone\r\n".length;

describe("a connection that breaks", () => {
  const cuts = [
    ...[0, 1, 40, 400, 1200].map((bytes) => ["request", bytes] as const),
    ...Array.from({ length: REPLY }, (_, bytes) => ["reply", bytes] as const),
  ];

  it.each(cuts)("in the %s after %d bytes gives 503, and the next try succeeds", async (direction, bytes) => {
    const tokens = await register(service.url);
    wire.breakAfter(direction, bytes, "reset");
    expectRefusal(await logout(service.url, tokens.access_token), 503, "denylist_unavailable");
    wire.heal();
    await untilReady(service.url);
    // A reply that broke was the logout's, or one that the service had asked for in the background before it.
    expect((await isWhollyIn(tokens)) || direction === "reply").toBe(true);
    await expectLoggedOut(tokens);
  });

  it.each(cuts.filter((_, at) => at % 4 === 0))(
    "goes silent in the %s after %d bytes: the same",
    async (direction, bytes) => {
      const tokens = await register(service.url);
      wire.breakAfter(direction, bytes, "silence");
      expectRefusal(await logout(service.url, tokens.access_token), 503, "denylist_unavailable");
      wire.heal();
      await untilReady(service.url);
      await isWhollyIn(tokens);
      await expectLoggedOut(tokens);
    },
  );
});

describe("a Redis that refuses", () => {
  const faults: [title: string, breakIt: () => Promise<unknown>, mendIt: () => Promise<unknown>][] = [
    [
      "is full",
      () => redis.admin.config("SET", "maxmemory", "1"),
      () => redis.admin.config("SET", "maxmemory", "0"),
    ],
    [
      "wants replicas it does not have",
      () => redis.admin.config("SET", "min-replicas-to-write", "1"),
      () => redis.admin.config("SET", "min-replicas-to-write", "0"),
    ],
    [
      "has become a replica of something that is not there",
      () => redis.admin.call("REPLICAOF", "127.0.0.1", "1"),
      () => redis.admin.call("REPLICAOF", "NO", "ONE"),
    ],
    [
      "no longer lets us run scripts",
      () => redis.admin.call("ACL", "SETUSER", "curfew", "-eval", "-evalsha"),
      () => redis.admin.call("ACL", "SETUSER", "curfew", "+eval", "+evalsha"),
    ],
    [
      "holds something else under the epoch's key",
      async () => {
        await redis.admin.rename("curfew:denylist:epoch", "kept");
        await redis.admin.lpush("curfew:denylist:epoch", "what is this?");
      },
      () => redis.admin.rename("kept", "curfew:denylist:epoch"),
    ],
    [
      "holds a malformed epoch",
      async () => {
        await redis.admin.rename("curfew:denylist:epoch", "kept");
        await redis.admin.set("curfew:denylist:epoch", "yesterday");
      },
      () => redis.admin.rename("kept", "curfew:denylist:epoch"),
    ],
  ];

  it.each(faults)(
    "because it %s: 503, nothing changed, and the next try succeeds",
    async (_title, breakIt, mendIt) => {
      const tokens = await register(service.url);
      await breakIt();
      const answer = await logout(service.url, tokens.access_token);
      await mendIt();
      expectRefusal(answer, 503, "denylist_unavailable");
      await untilReady(service.url);
      expect(await isWhollyIn(tokens)).toBe(true);
      await expectLoggedOut(tokens);
    },
  );

  it("is hung: 503 in time, and what it does when it wakes up does no harm", async () => {
    const tokens = await register(service.url);
    process.kill(redis.pid, "SIGSTOP");
    const answer = await logout(service.url, tokens.access_token);
    process.kill(redis.pid, "SIGCONT");
    expectRefusal(answer, 503, "denylist_unavailable");
    // The logout that was given up is done after all.
    await eventually(async () => (await me(service.url, tokens.access_token)).status === 401);
    await expectLoggedOut(tokens);
  });

  it("is stopped: 503 for logout and check alike, though the service lives and says that it isn't ready", async () => {
    const tokens = await register(service.url);
    wire.breakAfter("request", 0, "reset");
    expectRefusal(await logout(service.url, tokens.access_token), 503, "denylist_unavailable");
    expectRefusal(await me(service.url, tokens.access_token), 503, "denylist_unavailable");
    expectRefusal(await call(service.url, "GET", "/readyz"), 503, "denylist_unavailable");
    expect((await call(service.url, "GET", "/healthz")).status).toBe(200);
    wire.heal();
    await untilReady(service.url);
    await expectLoggedOut(tokens);
  });

  it("has forgotten the scripts: they are sent again, and nobody notices", async () => {
    const tokens = await register(service.url);
    await redis.admin.script("FLUSH");
    await expectLoggedOut(tokens);
  });
});

it("tells a client nothing about Redis, and the log which request met it", () => {
  const failed = service.log.filter((line) => line.includes("denylist_unavailable"));
  expect(failed.length).toBeGreaterThan(20);
  expect(
    failed.every((line) => typeof (JSON.parse(line) as { request_id: unknown }).request_id === "string"),
  ).toBe(true);
  expect(service.log.join("")).not.toMatch(/eyJ/);
});
