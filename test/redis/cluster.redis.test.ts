import { createShards } from "../../src/redis/shards";
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
  settled,
  untilReady,
  type Tokens,
} from "../helpers/client";
import { curfew } from "../helpers/command";
import { startCluster } from "../helpers/cluster";
import { decodePart } from "../helpers/jws";
import { expectOut, logOutWhile, openDevices } from "../helpers/leaving";
import { scrape } from "../helpers/metrics";
import type { TestRedis } from "../helpers/redis";
import { startService, useService } from "../helpers/service";
import { use } from "../helpers/use";

const DEVICES = 60;
const shards = createShards("curfew:", 16);
const { prefixes } = shards;
const prefixOf = (user: string) => shards.prefixOf(user);

const redis = use(() => startCluster(), 60_000);
const service = useService(() => ({
  REDIS_MODE: "cluster",
  REDIS_URL: redis.url,
  REVOKE_MIN_REPLICAS: "1",
}));

const epochKeyOf = ({ user }: Tokens) => `${prefixOf(user.id)}denylist:epoch`;

/** Users whose shards are on different nodes. */
async function registerApart(): Promise<[Tokens, Tokens, TestRedis, TestRedis]> {
  const one = await register(service.url);
  const home = await redis.primaryOf(epochKeyOf(one));
  for (;;) {
    const other = await register(service.url);
    const otherHome = await redis.primaryOf(epochKeyOf(other));
    if (otherHome !== home) return [one, other, home, otherHome];
  }
}

it("all that belongs to a user is in one shard, and users are spread over all of them", async () => {
  const tokens = await register(service.url);
  const { sid, jti } = decodePart(tokens.access_token, 1) as { sid: string; jti: string };
  expect((await logout(service.url, tokens.access_token)).status).toBe(200);
  const prefix = prefixOf(tokens.user.id);
  const keys = [
    ...[`denylist:jti:${jti}`, `denylist:sid:${sid}`, "denylist:epoch", "events"],
    ...[`session:${sid}`, `user:${tokens.user.id}`],
  ];
  const home = await redis.primaryOf(`${prefix}events`);
  for (const key of keys) expect(await home.admin.exists(prefix + key)).toBe(1);
  await untilReady(service.url);
  for (const each of prefixes) {
    const { admin } = await redis.primaryOf(`${each}denylist:epoch`);
    expect(await admin.get(`${each}denylist:epoch`)).toMatch(/^\d+-[0-9a-f]+$/);
  }
});

it("entries are counted on every primary", async () => {
  const apart = await registerApart();
  for (const tokens of apart.slice(0, 2) as Tokens[])
    expect((await logout(service.url, tokens.access_token)).status).toBe(200);
  const other = await startService({ REDIS_MODE: "cluster", REDIS_URL: redis.url });
  const read = async () => (await scrape(other.url)).get('curfew_denylist_entries{kind="token"}');
  await eventually(async () => (await read()) !== undefined);
  const homes = new Set(await Promise.all(prefixes.map((prefix) => redis.primaryOf(`${prefix}events`))));
  const keys = await Promise.all([...homes].map(({ admin }) => admin.keys("*denylist:jti:*")));
  expect(keys.filter((some) => some.length > 0).length).toBeGreaterThan(1);
  expect(await read()).toBe(keys.flat().length);
  await other.stop();
});

it("a node that loses its memory logs out those whose shards it had, and nobody else", async () => {
  const [one, other, home] = await registerApart();
  await home.admin.flushall();
  expectRefusal(await me(service.url, one.access_token), 401, "token_revoked");
  expectRefusal(await refresh(service.url, one.refresh_token), 401, "refresh_token_invalid");
  expect((await me(service.url, other.access_token)).status).toBe(200);
});

it("ops staff find, show and lift what is denied, in whichever shard", async () => {
  const { user } = await register(service.url);
  const key = `${prefixOf(user.id)}user:${user.id}`;
  await (await redis.primaryOf(key)).admin.hset(key, "roles", "ops");
  const { access_token: token } = await login(service.url, user.email);
  const ops = (method: string, path: string, body?: object) =>
    call(service.url, method, `/api/ops/revocations${path}`, { token, ...(body && { body }) });
  const [one, other] = await registerApart();
  await logout(service.url, one.access_token);
  const { jti, exp } = decodePart(other.access_token, 1) as { jti: string; exp: number };
  expect((await ops("POST", "", { jti, expires_at: exp, reason: "lost" })).status).toBe(201);
  expectRefusal(await me(service.url, other.access_token), 401, "token_revoked");

  const found: { id: string; sub: string }[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const { body } = await ops("GET", `?limit=7${cursor && `&cursor=${cursor}`}`);
    const page = body as { items: typeof found; next_cursor: string | null };
    found.push(...page.items);
    cursor = page.next_cursor;
  }
  expect(found.filter(({ sub }) => sub === one.user.id)).toHaveLength(2);
  expect(found.filter(({ id }) => id === jti)).toHaveLength(prefixes.length);

  expect((await ops("GET", `/token/${jti}`)).body).toMatchObject({ id: jti, note: "lost" });
  expect((await ops("DELETE", `/token/${jti}`)).status).toBe(200);
  expect((await me(service.url, other.access_token)).status).toBe(200);
});

it("a hundred refreshes of one token at once, at two instances, lead to one successor", async () => {
  const other = await startService({ REDIS_MODE: "cluster", REDIS_URL: redis.url });
  const first = await register(service.url);
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => {
      const { url } = at % 2 === 0 ? service : other;
      // Each has to be confirmed by a replica, one after the other: some may not get their turn in time.
      return settled(() => refresh(url, first.refresh_token));
    }),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
  const generationOf = (body: unknown) => decodePart(`.${(body as Tokens).refresh_token}`, 1)["generation"];
  expect(new Set(answers.map(({ body }) => generationOf(body)))).toEqual(new Set([1]));
  const next = await refresh(other.url, (answers[0]?.body as Tokens).refresh_token);
  expect(generationOf(next.body)).toBe(2);
  await other.stop();
});

it("no connection of ours may read from a replica", async () => {
  await register(service.url);
  const primaries = await Promise.all(prefixes.map((prefix) => redis.primaryOf(`${prefix}events`)));
  for (const { admin } of redis.nodes.filter((node) => !primaries.includes(node))) {
    const ours = String(await admin.client("LIST"))
      .split("\n")
      .filter((line) => line.includes("user=curfew"));
    for (const line of ours) expect(line).not.toMatch(/flags=\S*r/);
  }
});

it("while a slot moves from node to node, verdicts are right or 503", async () => {
  const [stays, , from, to] = await registerApart();
  const leaves = await login(service.url, stays.user.email);
  expect((await logout(service.url, leaves.access_token)).status).toBe(200);
  // Denied by one key alone, its session's.
  const ended = await login(service.url, stays.user.email);
  const path = `/api/auth/sessions/${String(decodePart(ended.access_token, 1)["sid"])}`;
  expect((await call(service.url, "DELETE", path, { token: stays.access_token })).status).toBe(204);
  const seen = new Set<string>();
  let isMoving = true;
  const look = async () => {
    while (isMoving) {
      seen.add(`stays ${(await me(service.url, stays.access_token)).status}`);
      seen.add(`left ${(await me(service.url, leaves.access_token)).status}`);
      seen.add(`left ${(await me(service.url, ended.access_token)).status}`);
    }
  };
  const looking = look();
  for (const [source, target] of [
    [from, to],
    [to, from],
  ] as const) {
    await redis.moveSlot(await redis.slotOf(epochKeyOf(stays)), source, target);
  }
  isMoving = false;
  await looking;
  for (const wrong of ["stays 401", "left 200"]) expect([...seen]).not.toContain(wrong);
  expect([...seen]).toEqual(expect.arrayContaining(["stays 200", "left 401"]));
  await untilReady(service.url);
  expect((await logout(service.url, stays.access_token)).status).toBe(200);
  await expectOut(service.url, [stays]);
}, 60_000);

it("curfew manages accounts on every node, and a replica has what it ended", async () => {
  const [one, other] = await registerApart();
  const env = { REDIS_MODE: "cluster", REDIS_URL: redis.url, REVOKE_MIN_REPLICAS: "1" };
  const { stdout } = await curfew(["users", "list"], env);
  for (const { user } of [one, other]) {
    expect(stdout).toContain(user.id);
    expect(await curfew(["users", "disable", user.email], env)).toMatchObject({ exitCode: 0, stderr: "" });
    expect((await curfew(["users", "delete", user.email, "--yes"], env)).exitCode).toBe(0);
  }
  await expectOut(service.url, [one, other]);
}, 60_000);

it("a logout that its shard's replica doesn't have is not done", async () => {
  const tokens = await register(service.url);
  const home = await redis.primaryOf(epochKeyOf(tokens));
  const follower = await redis.replicaOf(home);
  try {
    process.kill(follower.pid, "SIGSTOP");
    expectRefusal(await logout(service.url, tokens.access_token), 503, "denylist_unavailable");
    expectRefusal(await logout(service.url, tokens.access_token), 503, "denylist_unavailable");
  } finally {
    process.kill(follower.pid, "SIGCONT");
  }
  await eventually(async () => (await logout(service.url, tokens.access_token)).status === 200);
  await redis.untilSettled();
}, 60_000);

it("no logout that was acknowledged is lost when its primary is killed", async () => {
  const devices = await openDevices(service.url, DEVICES);
  const [first] = devices as [Tokens];
  const home = await redis.primaryOf(epochKeyOf(first));
  const acknowledged = await logOutWhile(service.url, devices, () => home.kill());
  expect(acknowledged.length).toBeGreaterThan(DEVICES / 4);
  await untilReady(service.url);
  await expectOut(service.url, acknowledged);
  // Without its replica nothing more can be confirmed, and who can't be logged out isn't let in.
  const body = { email: first.user.email, password: PASSWORD };
  expectRefusal(await call(service.url, "POST", "/api/auth/login", { body }), 503, "denylist_unavailable");
}, 60_000);
