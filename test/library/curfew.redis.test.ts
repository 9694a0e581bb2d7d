import { randomUUID } from "node:crypto";
import express from "express";
import { Cluster, Redis as Client } from "ioredis";
import request from "supertest";
import {
  createCurfew,
  isEndedBy,
  type Claims,
  type Curfew,
  type CurfewOptions,
  type Revocation,
} from "../../src/index";
import { eventually } from "../helpers/client";
import { startCluster } from "../helpers/cluster";
import { untilUp, useCurfew } from "../helpers/curfew";
import { forge } from "../helpers/jws";
import { connectedUntilTestsEnd } from "../helpers/processes";
import { startRedis, useRedis } from "../helpers/redis";
import { SECRET } from "../helpers/service";
import { use } from "../helpers/use";

const keys = { secret: SECRET };
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const issuers = [
  {
    name: "clerk",
    issuer: "https://clerk.example.com",
    audience: null,
    algorithms: ["HS256" as const],
    secret_env: "CURFEW_TEST_ISSUER_SECRET",
  },
];
const OTHER = `other-${SECRET}`;
process.env["CURFEW_TEST_ISSUER_SECRET"] = OTHER;

const opened: Curfew[] = [];
type OptionsWithAccounts = Exclude<CurfewOptions, { accounts: false }>;
function open(options: Partial<OptionsWithAccounts> & Pick<CurfewOptions, "redis">): Curfew {
  const curfew = createCurfew({ keys, log, timeoutMs: 5000, ...options });
  opened.push(curfew);
  return curfew;
}
afterAll(() => Promise.all(opened.map((curfew) => curfew.close())));

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

/** Everything that a listener is told, and waits: until there is so much of it, and until all has come that is to come. */
function listen(curfew: Curfew) {
  const told: Revocation[] = [];
  const marks = new Set<string | undefined>();
  const stop = curfew.onRevoked((revocation) => {
    const jti = "jti" in revocation ? revocation.jti : undefined;
    if (jti?.startsWith("mark-")) marks.add(jti);
    else told.push(revocation);
  });
  return {
    told,
    stop,
    until: (count: number) => eventually(() => Promise.resolve(told.length >= count)),
    /** What is told of a shard comes in order: with a later revocation there, all that came before has come. */
    caughtUp: async (sub?: string) => {
      const sent: string[] = [];
      await eventually(async () => {
        const jti = `mark-${randomUUID()}`;
        sent.push(jti);
        await curfew.revoke({ jti, exp: inAnHour(), sub });
        return sent.some((each) => marks.has(each));
      });
    },
  };
}

describe("with a Redis", () => {
  const redis = useRedis();
  const curfew = useCurfew(() => ({ redis: redis.url, issuers }));

  it("refuses no token at all as what it is", async () => {
    for (const none of [undefined, ""])
      await expect(curfew.verify(none)).rejects.toMatchObject({ code: "token_missing" });
  });

  it("mounts only those routes that are asked for", async () => {
    const app = express();
    app.use("/auth", curfew.routes({ only: ["refresh", "logout", "sessions"] }));
    const answers = await Promise.all(
      ["register", "login", "refresh", "logout", "password", "verify"].map((path) =>
        request(app).post(`/auth/${path}`),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 401, 401, 404, 404]);
    for (const only of [[], ["loguot"], "logout", null])
      expect(() => curfew.routes({ only: only as never })).toThrow("some of register, login");
  });

  it("without accounts, needs no key, and accepts and logs out outside issuers' tokens only", async () => {
    const foreign = createCurfew({ redis: redis.url, accounts: false, issuers, log, timeoutMs: 5000 });
    opened.push(foreign);
    await untilUp(foreign);
    const app = express();
    app.use("/auth", foreign.routes());
    const post = (path: string, token = "x") =>
      request(app).post(`/auth/${path}`).auth(token, { type: "bearer" });
    const own = ["register", "login", "refresh", "sessions", "password"];
    const answers = await Promise.all([...own, "logout"].map((path) => post(path)));
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 401]);
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: "https://clerk.example.com", sub: "cay", iat: now, exp: now + 60 };
    const token = forge({ alg: "HS256" }, claims, OTHER);
    expect(await foreign.verify(token)).toMatchObject({ subject: "clerk:cay" });
    expect((await post("logout", token)).status).toBe(200);
    await expect(foreign.verify(token)).rejects.toMatchObject({ code: "token_revoked" });
    await expect(foreign.openSession({} as never, {} as never, { id: "x" })).rejects.toThrow(TypeError);
    expect(() => foreign.routes({ only: ["login"] })).toThrow("with some of logout, verify");
  });

  it("tells the app's log at debug why a token with a good signature is refused, if it has a debug()", async () => {
    const now = Math.floor(Date.now() / 1000);
    const token = forge(
      { alg: "HS256" },
      { iss: "https://clerk.example.com", sub: "ada", jti: "one", iat: now - 90_000, exp: now + 60 },
      OTHER,
    );
    const debug = jest.fn();
    const telling = open({ redis: redis.url, issuers, log: { ...log, debug } });
    await expect(telling.verify(token)).rejects.toMatchObject({ code: "token_invalid" });
    expect(debug.mock.calls).toEqual([[{ code: "token_invalid", rule: "max_lifetime" }, "token refused"]]);
    await expect(curfew.verify(token)).rejects.toMatchObject({ code: "token_invalid" });
  });

  it("says whose token it is, in one spelling for own users and foreign ones", async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: "https://clerk.example.com", sub: "auth0|ben", iat: now, exp: now + 60 };
    const verified = await curfew.verify(forge({ alg: "HS256" }, claims, OTHER));
    expect(verified).toMatchObject({ kind: "foreign", subject: "clerk:auth0|ben", sub: "auth0|ben" });
  });

  it("says nothing at a healthy start, and once what keeps revocations from coming later", async () => {
    const own = await startRedis(["--appendonly yes"]);
    const warn = jest.fn<unknown, [unknown, string]>();
    const starting = open({ redis: own.url, log: { ...log, warn, error: warn } });
    const { until } = listen(starting);
    await untilUp(starting);
    await starting.revoke({ jti: "one", exp: inAnHour() });
    await until(1);
    expect(warn).not.toHaveBeenCalled();
    await own.kill();
    const waits = () =>
      warn.mock.calls.filter(([, said]) => said === "onRevoked waits until Redis can be reached");
    await eventually(() => Promise.resolve(waits().length === 1));
    await own.stop();
  });

  it("revokes a token by its id, for as long as it would have lived, and says who and why", async () => {
    const [jti, exp] = [randomUUID(), inAnHour()];
    await curfew.revoke({ jti, exp, note: 'she said "stop"' });
    const entry = JSON.parse((await redis.admin.get(`curfew:denylist:jti:${jti}`)) ?? "") as unknown;
    expect(entry).toMatchObject({
      jti,
      exp,
      sub: null,
      iss: "curfew",
      reason: "revoked_by_client",
      by: "app",
    });
    expect(entry).toMatchObject({ note: 'she said "stop"' });
    const ttl = await redis.admin.pttl(`curfew:denylist:jti:${jti}`);
    expect(Math.abs(exp * 1000 - Date.now() - ttl)).toBeLessThan(1000);
    await curfew.revoke({ jti, exp: exp - 1000 });
    expect(await redis.admin.pttl(`curfew:denylist:jti:${jti}`)).toBeGreaterThan(ttl - 2000);
  });

  it("writes nothing for a token that has expired", async () => {
    const jti = randomUUID();
    await curfew.revoke({ jti, exp: 1_000_000_000 });
    expect(await redis.admin.exists(`curfew:denylist:jti:${jti}`)).toBe(0);
  });

  it("cuts off a subject of an outside issuer, and never moves a cutoff back", async () => {
    await curfew.revokeUser({ issuer: "clerk", sub: "user|1" });
    const [key = ""] = await redis.admin.keys("curfew:denylist:sub:clerk:*");
    expect(key).toMatch(/sub:clerk:sha256-/);
    const later = `{"cutoff":${inAnHour()}}`;
    await redis.admin.set(key, later, "KEEPTTL");
    await curfew.revokeUser({ issuer: "clerk", sub: "user|1" });
    expect(await redis.admin.get(key)).toBe(later);
    expect(await redis.admin.ttl(key)).toBeGreaterThan(86_000);
  });

  it("tells a listener what comes after it, once, and nothing from before", async () => {
    const other = open({ redis: redis.url, issuers });
    await untilUp(other);
    await curfew.revoke({ jti: randomUUID(), exp: inAnHour() });
    const [here, there] = [listen(curfew), listen(other)];
    // The other one asks over a connection of its own, where its events end.
    await Promise.all([here.caughtUp(), there.caughtUp()]);
    const jti = randomUUID();
    await curfew.revoke({ jti, exp: inAnHour(), sub: "ada", reason: "password_changed" });
    await curfew.revokeUser({ issuer: "clerk", sub: "auth0|ben" });
    await Promise.all([here.until(2), there.until(2)]);
    const late = listen(curfew);
    await Promise.all([here, there, late].map((each) => each.caughtUp()));
    const at = expect.stringMatching(/^\d{4}-.*Z$/) as string;
    for (const { told } of [here, there]) {
      expect(told).toEqual([
        { kind: "token", sub: "ada", jti, reason: "password_changed", at },
        { kind: "user", sub: "clerk:auth0|ben", reason: "revoked_by_client", at },
      ]);
    }
    expect(late.told).toEqual([]);
    here.stop();
    there.stop();
    await curfew.revoke({ jti: randomUUID(), exp: inAnHour() });
    await late.until(1);
    expect(here.told).toHaveLength(2);
    late.stop();
  });

  it("tells of a burst that is longer than one answer, in order", async () => {
    const { told, until, stop } = listen(curfew);
    const jtis = Array.from({ length: 2500 }, (_, at) => `burst-${at}`);
    for (const jti of jtis) void curfew.revoke({ jti, exp: inAnHour() });
    await until(jtis.length);
    expect(told.map((each) => "jti" in each && each.jti)).toEqual(jtis);
    stop();
  });

  it("says that everything was revoked when the denylist is lost, whether or not the events are", async () => {
    const { told, until, caughtUp, stop } = listen(curfew);
    await curfew.revoke({ jti: randomUUID(), exp: inAnHour() });
    await until(1);
    await redis.admin.set("curfew:denylist:epoch", "1700000000-abc");
    await until(2);
    await redis.admin.flushall();
    await until(3);
    await eventually(async () => (await redis.admin.exists("curfew:denylist:epoch")) === 1);
    await curfew.revoke({ jti: randomUUID(), exp: inAnHour() });
    await until(4);
    await redis.admin.xtrim("curfew:events", "MAXLEN", 0);
    await until(5);
    await caughtUp();
    const [everything, token] = ["everything", "token"];
    const kinds = told.map(({ kind }) => kind);
    expect(kinds.slice(0, 5)).toEqual([token, everything, everything, token, everything]);
    // Whoever misses its own event begins an epoch, together with that or after it.
    expect(new Set(kinds.slice(4))).toEqual(new Set([everything]));
    stop();
  });

  it("tells, once Redis is back, what was revoked while it could not be reached", async () => {
    const own = await startRedis(["--appendonly yes", "--appendfsync always"]);
    const [here, there] = [open({ redis: own.url }), open({ redis: own.url })];
    await Promise.all([untilUp(here), untilUp(there)]);
    const { told, until, caughtUp } = listen(there);
    await caughtUp();
    await here.revoke({ jti: "before", exp: inAnHour() });
    await until(1);
    await own.kill();
    await expect(here.revoke({ jti: "during", exp: inAnHour() })).rejects.toMatchObject({
      code: "denylist_unavailable",
    });
    await own.start();
    await eventually(() =>
      here.revoke({ jti: "after", exp: inAnHour() }).then(
        () => true,
        () => false,
      ),
    );
    await until(2);
    expect(told.map((each) => "jti" in each && each.jti)).toEqual(["before", "after"]);
    await own.stop();
  });

  it("takes the app's client for where Redis is, and nothing else of it", async () => {
    const client = connectedUntilTestsEnd(
      new Client(redis.url, {
        keyPrefix: "app:",
        stringNumbers: true,
        enableAutoPipelining: true,
        lazyConnect: true,
      }),
    );
    expect(() => open({ redis: client })).toThrow(/keyPrefix.*write the option prefix too/);
    const withClient = open({ redis: client, prefix: "curfew:mine:" });
    await untilUp(withClient);
    const jti = randomUUID();
    await withClient.revoke({ jti, exp: inAnHour() });
    expect(await redis.admin.exists(`curfew:mine:denylist:jti:${jti}`)).toBe(1);
    expect(client.status).toBe("wait");
    await withClient.close();
    await client.connect();
    expect(await client.ping()).toBe("PONG");
    await expect(withClient.revoke({ jti, exp: inAnHour() })).rejects.toMatchObject({
      code: "denylist_unavailable",
    });
  });

  it.each([
    [{}, /curfew\.revoke\(\{ jti, exp \}\)/],
    [{ jti: "a b", exp: inAnHour() }, /curfew\.revoke/],
    [{ jti: "a", exp: Date.now() }, /Unix seconds/],
    [{ jti: "a", exp: inAnHour(), reasn: "logout" }, /curfew\.revoke/],
    [{ jti: "a", exp: inAnHour(), reason: "revoked_by_ops" }, /reason: logout or/],
  ])("revoke(%j) is refused, rather than done by half", async (token, message) => {
    await expect(curfew.revoke(token as never)).rejects.toThrow(message);
  });

  it.each(["", "clerk:ben", { issuer: "nobody", sub: "ben" }, { issuer: "clerk" }, null])(
    "revokeUser(%j) is refused",
    async (user) => {
      await expect(curfew.revokeUser(user as never)).rejects.toThrow(/Write curfew\.revokeUser/);
    },
  );
});

describe("with a Redis Cluster", () => {
  const cluster = use(() => startCluster(), 90_000);

  it("denies a token in every shard, tells of it once, and never reads from a replica", async () => {
    const { username, password, hostname, port } = new URL(cluster.nodes[0]?.url ?? "");
    const client = connectedUntilTestsEnd(
      new Cluster([{ host: hostname, port: Number(port) }], {
        scaleReads: "slave",
        lazyConnect: true,
        redisOptions: { username, password },
      }),
    );
    const curfew = open({ redis: client, shards: 4 });
    await untilUp(curfew);
    const { told, until, caughtUp } = listen(curfew);
    // Ada's shard is another than the one that tells of a token without a subject.
    await caughtUp();
    await caughtUp("ada");
    await curfew.revoke({ jti: "everywhere", exp: inAnHour() });
    await until(1);
    await curfew.revoke({ jti: "there", exp: inAnHour(), sub: "ada" });
    await until(2);
    await caughtUp();
    await caughtUp("ada");
    expect(told.map((each) => "jti" in each && each.jti)).toEqual(["everywhere", "there"]);
    const found = async (jti: string) => {
      const keysOf = cluster.nodes.map(({ admin }) => admin.keys(`curfew:*denylist:jti:${jti}`));
      return new Set((await Promise.all(keysOf)).flat()).size;
    };
    expect([await found("everywhere"), await found("there")]).toEqual([4, 1]);
    for (const { admin } of cluster.nodes) {
      const isReplica = (await admin.info("replication")).includes("role:slave");
      const stats = await admin.info("commandstats");
      if (isReplica) expect(stats).not.toMatch(/cmdstat_exists/);
    }
  });
});

describe("createCurfew", () => {
  const REDIS = "redis://127.0.0.1:1";
  it.each<[object | undefined, RegExp]>([
    [undefined, /not an object/],
    [{}, /redis: it is not a client of ioredis 5.*\n.*keys: write/],
    [{ keys }, /redis: .*, write your client of ioredis 5, new Redis/],
    [{ redis: { duplicate: () => undefined, options: {}, isOpen: true }, keys }, /redis: it is not a client/],
    [{ redis: "http://x", keys }, /redis: .*redis:\/\/user:password@host/],
    [{ redis: "redis://x,redis://y", keys }, /redis: it names several nodes, write your client/],
    [{ redis: `redis://:${SECRET}@x?enableOfflineQueue=true`, keys }, /redis: it has options behind a \?/],
    [{ redis: "rediss://x/0?commandTimeout=0", keys }, /redis: it has options behind a \?/],
    [{ redis: "redis://x/database", keys }, /redis: its database is not a number, write/],
    [{ redis: "redis://:%@x", keys }, /redis: its user or password has a % that encodes nothing/],
    [
      { redis: REDIS, keys, revokeMinReplicas: 1, partitionToleranceMs: 99 },
      /partitionToleranceMs: replicas don't confirm so quickly, write 0, or at least 100/,
    ],
    [
      { redis: new Cluster(["127.0.0.1:1"], { lazyConnect: true }), keys, mode: "mirror" },
      /mode: a mirror follows one primary, and a cluster has several, write direct/,
    ],
    [{ redis: REDIS, keys, accounts: false }, /keys: without accounts, nothing is signed, write nothing/],
    [{ redis: REDIS, keys: { secret: "short" } }, /keys: it is 5 bytes long/],
    [
      { redis: REDIS, keys: { secret: SECRET, privateKey: "x" } },
      /keys: it is not one secret or one private key/,
    ],
    [
      { redis: REDIS, keys: { ...keys, verify: [{ secret: "short" }] } },
      /keys\.verify\[0\]: it is 5 bytes long/,
    ],
    [{ redis: REDIS, keys, secret: SECRET }, /secret: there is no such option, write one of redis/],
    [{ redis: REDIS, keys, shards: 4 }, /shards: only a Redis Cluster has shards, write nothing/],
    [{ redis: REDIS, keys, timeoutMs: "250" }, /timeoutMs: write a whole number from 10 to 60000/],
    [
      { redis: REDIS, keys, accessTtlSeconds: 900, refreshTtlSeconds: 60 },
      /refreshTtlSeconds: it is shorter than accessTtlSeconds, write a longer one/,
    ],
    [{ redis: REDIS, keys, issuers: [{ name: "x" }] }, /issuers: \[0\]\.issuer: it is missing, write/],
    ...[{ secret: OTHER }, { ...keys, verify: [{ secret: OTHER }] }].map((own): [object, RegExp] => [
      { redis: REDIS, keys: own, issuers },
      /issuers: \[0\]\.secret_env: it holds one of our own keys, write/,
    ]),
    [{ redis: REDIS, keys, accounts: { create: () => undefined } }, /accounts: it lacks the functions find/],
    [
      { redis: REDIS, keys, cookies: { secur: false } },
      /cookies\.secur: there is no such option, write one of secure, refreshPath/,
    ],
    [{ redis: REDIS, keys, cookies: { refreshPath: "auth; x" } }, /refreshPath: write the path/],
    [
      { redis: REDIS, keys, trustedOrigins: ["*"] },
      /trustedOrigins: write an array; each member is an origin/,
    ],
    [{ redis: REDIS, keys, rateLimits: { login: 10 } }, /rateLimits\.login: write a number per second/],
    [{ redis: REDIS, keys, rateLimits: true }, /rateLimits: write an object, or false/],
    [{ redis: REDIS, keys, partitionToleranceMs: 500, shards: 4 }, /shards: .*\npartitionToleranceMs: /],
    [{ redis: REDIS, keys, log: {} }, /log: write a logger/],
  ])("refuses %j and says what to write", (options, message) => {
    let refusal: unknown;
    try {
      opened.push(createCurfew(options as CurfewOptions));
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(TypeError);
    expect((refusal as TypeError).message).toMatch(message);
    expect((refusal as TypeError).message).not.toContain(SECRET);
  });

  it("refuses roles that can't be meant, and a listener that is none, at start", async () => {
    const curfew = open({ redis: REDIS });
    for (const requirement of [
      { role: undefined },
      { roles: [] },
      { role: "" },
      { role: "a", roles: ["b"] },
      { rol: "a" },
      "a",
    ]) {
      expect(() => curfew.requireToken(requirement as never)).toThrow(/^Write curfew\.requireToken\(\)/);
    }
    expect(() => curfew.routes({ answerLogoutWith: "xml" } as never)).toThrow(/^Write curfew\.routes\(\)/);
    expect(() => curfew.onRevoked(undefined as never)).toThrow(/^Write curfew\.onRevoked/);
    await curfew.close();
  });
});

describe("isEndedBy", () => {
  const own: Claims = {
    kind: "own",
    subject: "ada",
    iss: "curfew",
    aud: "curfew",
    sub: "ada",
    sid: "s",
    jti: "j",
    iat: 1,
    exp: 2,
    roles: [],
    epoch: "1-a",
  };
  const foreign: Claims = {
    kind: "foreign",
    subject: "clerk:ada",
    ...{
      issuer: "clerk",
      iss: "https://clerk",
      sub: "ada",
      jti: "j",
      sid: "s",
      iat: 1,
      exp: 2,
    },
    ...{ sinceEpoch: true, clockLeadSeconds: 5, maxLifetimeSeconds: 60, claims: {} },
    keyIds: { sub: "ada", jti: "j", sid: "s" },
  };
  const said = { reason: "logout", at: "2030-01-01T00:00:00.000Z" } as const;

  it.each<[Revocation, boolean, boolean]>([
    [{ kind: "everything", at: said.at }, true, true],
    [{ kind: "user", sub: "ada", ...said }, true, false],
    [{ kind: "user", sub: "clerk:ada", ...said }, false, true],
    [{ kind: "session", sub: "ada", sid: "s", ...said }, true, false],
    [{ kind: "session", sub: "ada", sid: "another", ...said }, false, false],
    [{ kind: "session", sub: "clerk:ada", sid: "s", ...said }, false, true],
    [{ kind: "token", sub: "ada", jti: "j", ...said }, true, false],
    [{ kind: "token", sub: "ada", jti: "another", ...said }, false, false],
    [{ kind: "token", sub: null, jti: "j", ...said }, true, false],
  ])("%j ends a token of ours: %s, an outside issuer's: %s", (revocation, endsOwn, endsForeign) => {
    expect([isEndedBy(own, revocation), isEndedBy(foreign, revocation)]).toEqual([endsOwn, endsForeign]);
  });
});
