import { randomUUID } from "node:crypto";
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
  PASSWORD,
  refresh,
  register,
  settled,
  untilReady,
  type Answer,
  type Tokens,
} from "../../helpers/client";
import { decodePart } from "../../helpers/jws";
import { logOutWhile, openDevices } from "../../helpers/leaving";
import { startRedis, type TestRedis } from "../../helpers/redis";
import { SECRET, startService, type TestService } from "../../helpers/service";

/** A Redis that forgets lets nobody back in who logged out, and everybody can log in anew at once. */
let redis: TestRedis;
let service: TestService;
beforeEach(async () => {
  redis = await startRedis();
  service = await startService({ REDIS_URL: redis.url });
});
afterEach(async () => {
  await service.stop();
  await redis.stop();
});

async function expectOut({ url }: TestService, tokens: Tokens): Promise<void> {
  expectRefusal(await settled(() => check(url, tokens)), 401, "token_revoked");
  expectRefusal(await me(url, tokens.access_token), 401, "token_revoked");
  expectRefusal(await settled(() => refresh(url, tokens.refresh_token)), 401, "refresh_token_invalid");
}

async function expectIn({ url }: TestService, tokens: Tokens): Promise<void> {
  expect((await check(url, tokens)).status).toBe(204);
  expect((await refresh(url, tokens.refresh_token)).status).toBe(200);
}

type LogLine = { event?: string };

const told = ({ log }: TestService, event: string) =>
  log.filter((line) => line.startsWith("{")).filter((line) => (JSON.parse(line) as LogLine).event === event);

async function lossEvents(): Promise<string[][]> {
  const events = await redis.admin.xrange("curfew:events", "-", "+");
  return events
    .map(([, fields]) => fields)
    .filter((fields) => fields.join(" ").includes("event denylist_lost"));
}

/** Once for ops, once in the trail, with no secret in it; and nobody is taken for a thief. */
async function expectTold(...secrets: string[]): Promise<void> {
  const events = await lossEvents();
  expect(events).toHaveLength(1);
  const lines = told(service, "denylist_lost");
  expect(lines).toHaveLength(1);
  for (const secret of ["eyJ", "@example.com", SECRET, PASSWORD, ...secrets]) {
    expect(JSON.stringify([events, lines])).not.toContain(secret);
  }
  expect(told(service, "revoked_token_used")).toEqual([]);
}

const currentEpoch = () => redis.admin.get("curfew:denylist:epoch");
const epochOf = ({ access_token }: Tokens) => decodePart(access_token, 1)["epoch"];

const LOSSES: [title: string, lose: () => Promise<unknown>][] = [
  ["FLUSHALL", () => redis.admin.flushall()],
  ["FLUSHDB", () => redis.admin.flushdb()],
  ["SWAPDB with an empty database", () => redis.admin.call("SWAPDB", "0", "3")],
  [
    "a restart with nothing on its disk",
    async () => {
      await redis.kill();
      await redis.start();
    },
  ],
];

describe.each(LOSSES)("%s", (_title, lose) => {
  it("whoever was in or out is out, and it is told once", async () => {
    const [stays, leaves] = [await register(service.url), await register(service.url)];
    expect((await logout(service.url, leaves.access_token)).status).toBe(200);
    await lose();
    await expectOut(service, leaves);
    await expectOut(service, stays);
    // A frontend must always be able to log out.
    expect((await logout(service.url, stays.access_token)).status).toBe(200);
    await expectTold(leaves.refresh_token, stays.refresh_token);
  });

  it("who registers first is in, and stays in", async () => {
    const before = await register(service.url);
    await lose();
    // Another address each time: who got a 503 may have their account all the same.
    const answer = await settled(() => {
      const body = { email: `${randomUUID()}@example.com`, password: PASSWORD };
      return call(service.url, "POST", "/api/auth/register", { body });
    });
    expect(answer.status).toBe(201);
    const first = answer.body as Tokens;
    await expectOut(service, before);
    await expectIn(service, first);
    await expectIn(service, await login(service.url, first.user.email));
    await expectTold(before.refresh_token);
  });
});

describe("an old snapshot", () => {
  /** Redis as it was when it was last saved. */
  async function restore(): Promise<void> {
    await redis.kill();
    copyFileSync(join(redis.dir, "kept.rdb"), join(redis.dir, "dump.rdb"));
    await redis.start();
  }

  async function save(): Promise<void> {
    await redis.admin.save();
    copyFileSync(join(redis.dir, "dump.rdb"), join(redis.dir, "kept.rdb"));
  }

  it("who logged out after it stays out, and whose account it has can log in", async () => {
    const [stays, leaves] = [await register(service.url), await register(service.url)];
    await save();
    const epoch = await currentEpoch();
    expect((await logout(service.url, leaves.access_token)).status).toBe(200);
    await restore();
    await expectOut(service, leaves);
    await expectOut(service, stays);
    expect(await currentEpoch()).not.toBe(epoch);
    await expectIn(service, await login(service.url, leaves.user.email));
    await expectTold(leaves.refresh_token, stays.refresh_token);
  });

  it("one that has everything is no loss", async () => {
    const [stays, leaves] = [await register(service.url), await register(service.url)];
    expect((await logout(service.url, leaves.access_token)).status).toBe(200);
    await save();
    await restore();
    await expectOut(service, leaves);
    await expectIn(service, stays);
    expect(await lossEvents()).toEqual([]);
    expect(told(service, "denylist_lost")).toEqual([]);
  });

  it("an instance that did not see the logout refuses too, although nobody asks the one that did", async () => {
    const other = await startService({ REDIS_URL: redis.url });
    try {
      const leaves = await register(service.url);
      await save();
      expect((await check(other.url, leaves)).status).toBe(204);
      expect((await logout(service.url, leaves.access_token)).status).toBe(200);
      expectRefusal(await check(other.url, leaves), 401, "token_revoked");
      await restore();
      await eventually(async () => (await check(other.url, leaves)).status === 401);
      await expectOut(other, leaves);
      await expectOut(service, leaves);
      expect(await lossEvents()).toHaveLength(1);
    } finally {
      await other.stop();
    }
  });
});

it("a Redis that is killed amid logouts has those that it acknowledged, by its append-only file, and who stays is in", async () => {
  const kept = await startRedis(["--appendonly yes", "--appendfsync always"]);
  const own = await startService({ REDIS_URL: kept.url });
  try {
    const stays = await register(own.url);
    for (let round = 0; round < 5; round += 1) {
      const devices = await openDevices(own.url, 12);
      const acknowledged = await logOutWhile(own.url, devices, () => kept.kill());
      expect(acknowledged.length).toBeGreaterThan(0);
      await kept.start();
      await untilReady(own.url);
      for (const tokens of acknowledged) await expectOut(own, tokens);
      expect((await check(own.url, stays)).status).toBe(204);
    }
    expect(told(own, "denylist_lost")).toEqual([]);
  } finally {
    await own.stop();
    await kept.stop();
  }
});

describe("the wrong database", () => {
  it("is taken for another denylist: nobody of the first is in", async () => {
    const elsewhere = await startService({ REDIS_URL: `${redis.url}/3` });
    try {
      const [stays, leaves] = [await register(service.url), await register(service.url)];
      expect((await logout(service.url, leaves.access_token)).status).toBe(200);
      await expectOut(elsewhere, leaves);
      await expectOut(elsewhere, stays);
      expect(told(elsewhere, "denylist_lost")).toHaveLength(1);
      expect(told(elsewhere, "revoked_token_used")).toEqual([]);
      await expectIn(elsewhere, await register(elsewhere.url));
      await expectIn(service, stays);
      expect(told(service, "denylist_lost")).toEqual([]);
    } finally {
      await elsewhere.stop();
    }
  });
});

describe("several at once", () => {
  it("two instances that notice together agree on one epoch, and it is told once", async () => {
    const other = await startService({ REDIS_URL: redis.url });
    try {
      const tokens = [await register(service.url), await register(other.url)];
      const epoch = await currentEpoch();
      await redis.admin.flushall();
      const answers = await Promise.all(
        [...tokens, ...tokens, ...tokens].flatMap((each) => [
          check(service.url, each),
          check(other.url, each),
          refresh(service.url, each.refresh_token),
          refresh(other.url, each.refresh_token),
        ]),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
      const next = await currentEpoch();
      expect(next).not.toBe(epoch);
      const again = await register(service.url);
      expect(epochOf(again)).toBe(next);
      await expectIn(other, again);
      expect(await currentEpoch()).toBe(next);
      expect(await lossEvents()).toHaveLength(1);
      expect(told(other, "denylist_lost")).toHaveLength(1);
      await expectTold();
    } finally {
      await other.stop();
    }
  });

  it("logins in flight get a token of the new epoch, or one that is refused", async () => {
    const { email } = (await register(service.url)).user;
    const body = { email, password: PASSWORD };
    const logins = Array.from({ length: 6 }, () => call(service.url, "POST", "/api/auth/login", { body }));
    const registrations = Array.from({ length: 6 }, (_, at) =>
      call(service.url, "POST", "/api/auth/register", {
        body: { email: `${at}@example.com`, password: PASSWORD },
      }),
    );
    await Promise.race([...logins, ...registrations]);
    await redis.admin.flushall();
    const [loggedIn, registered] = await Promise.all([Promise.all(logins), Promise.all(registrations)]);
    const after = await register(service.url);
    const epoch = await currentEpoch();
    expect(epochOf(after)).toBe(epoch);
    const isGranted = ({ status }: Answer) => status < 300;
    const granted = [...loggedIn, ...registered]
      .filter(isGranted)
      .map(({ body: tokens }) => tokens as Tokens);
    expect(granted.length).toBeGreaterThan(0);
    for (const tokens of granted) {
      if (epochOf(tokens) === epoch) expect((await check(service.url, tokens)).status).toBe(204);
      else await expectOut(service, tokens);
      expect((await logout(service.url, tokens.access_token)).status).toBe(200);
      await expectOut(service, tokens);
    }
    // The account of a login is gone. One that was made a moment ago and is gone can be made again.
    for (const each of loggedIn) if (!isGranted(each)) expectRefusal(each, 401, "invalid_credentials");
    for (const each of registered) if (!isGranted(each)) expectRefusal(each, 503, "denylist_unavailable");
    expect(await lossEvents()).toHaveLength(1);
  });
});
