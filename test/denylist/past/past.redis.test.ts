import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { check } from "../../faults/stage";
import {
  call,
  eventually,
  expectRefusal,
  login,
  logout,
  me,
  refresh,
  register,
  untilReady,
  type Tokens,
} from "../../helpers/client";
import { curfew } from "../../helpers/command";
import { startRedis, type TestRedis } from "../../helpers/redis";
import { startService, type TestService } from "../../helpers/service";

let redis: TestRedis;
let service: TestService;
beforeEach(async () => {
  redis = await startRedis(["--enable-debug-command yes"]);
  service = await startService({ REDIS_URL: redis.url });
});
afterEach(async () => {
  await service.stop();
  await redis.stop();
});

const currentEpoch = () => redis.admin.get("curfew:denylist:epoch");

async function expectOut({ url }: TestService, { access_token, refresh_token }: Tokens): Promise<void> {
  expectRefusal(await me(url, access_token), 401, "token_revoked");
  expectRefusal(await refresh(url, refresh_token), 401, "refresh_token_invalid");
}

async function expectIn({ url }: TestService, tokens: Tokens): Promise<void> {
  expect((await check(url, tokens)).status).toBe(204);
  expect((await refresh(url, tokens.refresh_token)).status).toBe(200);
}

async function save(): Promise<void> {
  await redis.admin.save();
  copyFileSync(join(redis.dir, "dump.rdb"), join(redis.dir, "kept.rdb"));
}

/** Starts Redis again, with what was saved. */
async function restore(): Promise<void> {
  await redis.kill();
  copyFileSync(join(redis.dir, "kept.rdb"), join(redis.dir, "dump.rdb"));
  await redis.start();
  await untilReady(service.url);
}

/** A line of the service's log that tells an event, or says something, and when. */
function logged({ log }: TestService, what: string): number[] {
  const lines = log.filter((line) => line.startsWith("{") && line.includes(what));
  return lines.map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
}

describe("an epoch that was seen to end is never believed again", () => {
  it("when a backup is restored after Redis had restarted empty", async () => {
    const [stays, leaves] = [await register(service.url), await register(service.url)];
    await save();
    const first = await currentEpoch();
    expect((await logout(service.url, leaves.access_token)).status).toBe(200);
    await redis.admin.flushall();
    await expectOut(service, leaves);
    const second = await currentEpoch();
    await restore();
    await expectOut(service, leaves);
    await expectOut(service, stays);
    expect([first, second]).not.toContain(await currentEpoch());
    await expectIn(service, await login(service.url, leaves.user.email));
  });

  it("when a name leads to another Redis and back, with the connection open all the while", async () => {
    const stays = await register(service.url);
    await redis.admin.call("SWAPDB", "0", "3");
    const guest = await register(service.url);
    expect((await logout(service.url, guest.access_token)).status).toBe(200);
    // Whoever lives here is out there, and may be told so there.
    expect((await logout(service.url, stays.access_token)).status).toBe(200);
    await redis.admin.call("SWAPDB", "0", "3");
    await expectOut(service, stays);
    await redis.admin.call("SWAPDB", "0", "3");
    await expectOut(service, guest);
    await expectIn(service, await register(service.url));
  });
});

describe("a Redis that goes back in time without ending a connection", () => {
  const goBack = () => redis.admin.call("DEBUG", "RELOAD", "NOSAVE");

  it("is found out by the next one who logs out", async () => {
    const [leaves, other] = [await register(service.url), await register(service.url)];
    await save();
    expect((await logout(service.url, leaves.access_token)).status).toBe(200);
    await goBack();
    expect((await logout(service.url, other.access_token)).status).toBe(200);
    await expectOut(service, leaves);
    await expectOut(service, other);
  });

  it("is found out by itself", async () => {
    const leaves = await register(service.url);
    await save();
    expect((await logout(service.url, leaves.access_token)).status).toBe(200);
    await goBack();
    await eventually(async () => (await check(service.url, leaves)).status === 401);
    await expectOut(service, leaves);
    expect(logged(service, "denylist_lost")).toHaveLength(1);
  });
});

it("an idle instance finds a loss within a second of its reconnect, without being asked", async () => {
  const other = await startService({ REDIS_URL: redis.url });
  try {
    const leaves = await register(service.url);
    await save();
    expect((await logout(service.url, leaves.access_token)).status).toBe(200);
    await redis.kill();
    copyFileSync(join(redis.dir, "kept.rdb"), join(redis.dir, "dump.rdb"));
    await redis.start();
    await eventually(() => Promise.resolve(logged(service, "denylist_lost").length > 0));
    const [lostAt = NaN] = logged(service, "denylist_lost");
    expect(lostAt - (logged(service, "redis is ready").at(-1) ?? NaN)).toBeLessThan(1000);
    await untilReady(other.url);
    await expectOut(other, leaves);
  } finally {
    await other.stop();
  }
});

describe("curfew begin-epoch", () => {
  it("ends what a backup brought back, though no instance knows of it", async () => {
    const leaves = await register(service.url);
    await save();
    expect((await logout(service.url, leaves.access_token)).status).toBe(200);
    await service.stop();
    await redis.kill();
    copyFileSync(join(redis.dir, "kept.rdb"), join(redis.dir, "dump.rdb"));
    await redis.start();
    const env = { REDIS_URL: redis.url };
    expect(await curfew(["begin-epoch", "--yes"], env)).toMatchObject({
      exitCode: 0,
      stderr: "",
      stdout: "A new epoch has begun. Tokens and sessions from before are refused.\n",
    });
    service = await startService(env);
    await expectOut(service, leaves);
    await expectIn(service, await login(service.url, leaves.user.email));
  });

  it("asks to be sure, and says why it can't", async () => {
    expect(await curfew(["begin-epoch"], { REDIS_URL: redis.url })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("--yes") as string,
    });
    const nowhere = await curfew(["begin-epoch", "--yes"], { REDIS_URL: "redis://127.0.0.1:1" });
    expect(nowhere).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(
        /^Redis can't be reached.*: connect ECONNREFUSED 127.*\n.*run it again/,
      ) as string,
    });
    const memory = await curfew(["begin-epoch", "--yes"], { REDIS_URL: "memory://" });
    expect(memory).toMatchObject({ exitCode: 78, stderr: expect.stringContaining("REDIS_URL") as string });
  });
});

it("a Redis whose clock is set ahead begins a new epoch, because entries are gone; set back, it doesn't", async () => {
  const timely = await startRedis([], { hasOwnClock: true });
  const one = await startService({ REDIS_URL: timely.url });
  const warnings = async () => JSON.stringify((await call(one.url, "GET", "/readyz")).body);
  try {
    const [stays, leaves] = [await register(one.url), await register(one.url)];
    expect((await logout(one.url, leaves.access_token)).status).toBe(200);
    expect(await warnings()).not.toContain("clock_skew");
    timely.setClock(20 * 60);
    await eventually(async () => (await check(one.url, leaves)).status === 401);
    expect(await timely.admin.keys("curfew:denylist:jti:*")).toEqual([]);
    await expectOut(one, leaves);
    await expectOut(one, stays);
    expect(await warnings()).toContain("Redis's clock is 1200 seconds ahead of ours");
    const back = await login(one.url, stays.user.email);
    timely.setClock(0);
    await eventually(async () => !(await warnings()).includes("clock_skew"));
    await expectIn(one, back);
    expect(logged(one, "denylist_lost")).toHaveLength(1);
    // As far as before, and so soon that nobody has looked meanwhile.
    expect((await logout(one.url, back.access_token)).status).toBe(200);
    timely.setClock(20 * 60);
    await eventually(() => Promise.resolve(logged(one, "denylist_lost").length === 2));
    expect((await check(one.url, back)).status).toBe(401);
  } finally {
    await one.stop();
    await timely.stop();
  }
});
