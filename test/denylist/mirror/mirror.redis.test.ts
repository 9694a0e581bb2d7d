import pino from "pino";
import { eventually } from "../../helpers/client";
import { logOut, openMirrored, type Mirrored } from "../../helpers/mirror";
import { startProxy } from "../../helpers/proxy";
import { readTrackingRules, useRedis } from "../../helpers/redis";
import { use } from "../../helpers/use";

const redis = useRedis([], { mayTrack: true });
const there = () => ({ mode: "single", url: redis.url }) as const;
const by = ({ port }: { port: number }) =>
  ({ mode: "single", url: redis.url.replace(String(redis.port), String(port)) }) as const;
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

/** How often checks have asked: only they, and the questions about touched keys, use EXISTS. */
async function existsAsked(): Promise<number> {
  const stats = await redis.admin.info("commandstats");
  return Number(/cmdstat_exists:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** Nothing that was touched is still to be asked about. */
async function untilQuiet(): Promise<void> {
  let before = -1;
  await eventually(async () => {
    const now = await existsAsked();
    const isQuiet = now === before;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 60));
    return isQuiet;
  });
}

const becomes = (instance: Mirrored, token: string, answer: string) =>
  eventually(async () => (await instance.check(token)) === answer);

describe("a mirror", () => {
  const mirrored = use(() => openMirrored(there()));
  const other = use(() => openMirrored(there(), { mode: "direct" }));
  beforeEach(() => mirrored.untilFresh());

  it("answers clean checks without asking Redis", async () => {
    const { token } = await mirrored.signIn();
    await untilQuiet();
    await mirrored.untilFresh();
    const before = await existsAsked();
    for (let at = 0; at < 50; at += 1) expect(await mirrored.check(token)).toBe("accepted");
    expect(await existsAsked()).toBe(before);
  });

  it("refuses what another instance has logged out", async () => {
    const { token } = await other.signIn();
    expect(await mirrored.check(token)).toBe("accepted");
    await logOut(other, token);
    await becomes(mirrored, token, "token_revoked");
  });

  it("refuses what this instance has logged out at once, with all devices too", async () => {
    for (let at = 0; at < 20; at += 1) {
      const { token, user } = await mirrored.signIn();
      await mirrored.untilFresh();
      if (at % 2 === 0) await logOut(mirrored, token);
      else await mirrored.auth.endAllOf(user, { reason: "revoked_by_ops", by: "test" });
      expect(await mirrored.check(token)).toBe("token_revoked");
    }
  });

  it("refuses what somebody denied by hand, and accepts it when that is deleted", async () => {
    const { token, jti } = await mirrored.signIn();
    const key = `curfew:denylist:jti:${jti}`;
    await redis.admin.set(key, "by hand", "EX", 600);
    await becomes(mirrored, token, "token_revoked");
    await redis.admin.del(key);
    await becomes(mirrored, token, "accepted");
  });

  it("accepts a token again once its entry was lifted elsewhere, and asks no longer about it", async () => {
    const { token, jti } = await mirrored.signIn();
    await other.revoker.token({ jti, exp: inAnHour() }, { reason: "revoked_by_ops", by: "test" });
    await becomes(mirrored, token, "token_revoked");
    await other.ops.lift("token", jti, { by: "test", note: "a mistake" });
    await becomes(mirrored, token, "accepted");
    await untilQuiet();
    const before = await existsAsked();
    expect(await mirrored.check(token)).toBe("accepted");
    expect(await existsAsked()).toBe(before);
  });

  it("forgets entries that have expired", async () => {
    await untilQuiet();
    const before = mirrored.status().entries;
    const pipeline = redis.admin.pipeline();
    for (let at = 0; at < 500; at += 1) pipeline.set(`curfew:denylist:jti:short-${at}`, "", "PX", 400);
    await pipeline.exec();
    await eventually(() => Promise.resolve(mirrored.status().entries >= before + 500));
    await eventually(() => Promise.resolve(mirrored.status().entries === before));
  });

  it("takes nothing that somebody publishes for what Redis tells", async () => {
    const { token } = await mirrored.signIn();
    await redis.admin.publish("__redis__:invalidate", "curfew:denylist:epoch");
    expect(await mirrored.check(token)).toBe("accepted");
    expect(mirrored.status().state).toBe("fresh");
  });

  it("accepts nobody from before the denylist was emptied, and begins anew", async () => {
    const { token } = await mirrored.signIn();
    await redis.admin.flushall();
    await becomes(mirrored, token, "token_revoked");
    const { token: later } = await mirrored.signIn();
    await mirrored.untilFresh();
    expect(await mirrored.check(later)).toBe("accepted");
    expect(await mirrored.check(token)).toBe("token_revoked");
  });

  it("accepts nobody from before the epoch was deleted", async () => {
    const { token } = await mirrored.signIn();
    await redis.admin.del("curfew:denylist:epoch");
    await becomes(mirrored, token, "token_revoked");
  });

  it("notices a lost epoch of which Redis doesn't tell", async () => {
    const { token } = await mirrored.signIn();
    await mirrored.untilFresh();
    await redis.admin.call("SWAPDB", 0, 1);
    await becomes(mirrored, token, "token_revoked");
    await redis.admin.call("SWAPDB", 0, 1);
    await redis.admin.flushall();
  });

  it("begins anew when Redis has ended its connections, of the one kind or the other", async () => {
    for (const type of ["pubsub", "normal"]) {
      const { token } = await mirrored.signIn();
      await mirrored.untilFresh();
      await redis.admin.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes");
      await eventually(async () => (await other.check(token)) === "accepted");
      await logOut(other, token);
      await becomes(mirrored, token, "token_revoked");
      await mirrored.untilFresh();
      expect(await mirrored.check(token)).toBe("token_revoked");
    }
  });

  it("begins anew when Redis was killed and started again", async () => {
    const { token } = await mirrored.signIn();
    await mirrored.untilFresh();
    await redis.kill();
    await redis.start();
    // It kept nothing.
    await becomes(mirrored, token, "token_revoked");
    await mirrored.untilFresh();
  });

  it("copies what was there before, and what is written while it copies", async () => {
    const pipeline = redis.admin.pipeline();
    for (let at = 0; at < 30_000; at += 1) pipeline.set(`curfew:denylist:jti:old-${at}`, "", "EX", 600);
    await pipeline.exec();
    const before = await Promise.all(Array.from({ length: 3 }, () => other.signIn()));
    for (const { token } of before) await logOut(other, token);
    const late = await openMirrored(there());
    try {
      await eventually(() => Promise.resolve(late.status().state === "scanning"));
      const meanwhile = await other.signIn();
      await logOut(other, meanwhile.token);
      expect(await late.check(meanwhile.token)).toBe("token_revoked");
      await late.untilFresh();
      expect(late.status().entries).toBeGreaterThanOrEqual(30_000);
      for (const { token } of [...before, meanwhile]) expect(await late.check(token)).toBe("token_revoked");
    } finally {
      late.stop();
      await redis.admin.flushall();
    }
  });

  it("leaves no timer, no connection and no trust behind when it is closed", async () => {
    const late = await openMirrored(there());
    await late.untilFresh();
    late.stop();
    expect(late.status()).toEqual({ state: "waiting", entries: 0, stalenessMs: undefined });
  });
});

/** Shorter than the mirror of a busy machine can always be fresh. */
const SHORT_MS = 400;

describe("a mirror whose connections fall silent", () => {
  const wire = use(() => startProxy(redis.port));
  const other = use(() => openMirrored(there(), { mode: "direct" }));
  let mirrored: Mirrored;
  let token: string;

  async function open(...options: Parameters<typeof openMirrored>): Promise<void> {
    mirrored = await openMirrored(...options);
    await mirrored.untilFresh();
    ({ token } = await mirrored.signIn());
    await mirrored.untilFresh();
  }
  afterEach(() => {
    wire.heal();
    mirrored.stop();
  });

  /** What it answers once that is no longer "accepted", and how long after this call a check still began that was. */
  async function answersAtLast() {
    const startedAt = performance.now();
    let [answer, lastMs] = ["accepted", 0];
    await eventually(async () => {
      const askedMs = performance.now() - startedAt;
      answer = await mirrored.check(token);
      if (answer === "accepted") lastMs = askedMs;
      return answer !== "accepted";
    });
    return { answer, lastMs };
  }

  it("answers for so long and no longer where Redis can't be reached, and recovers", async () => {
    await open(by(wire), { stalenessMs: SHORT_MS, timeoutMs: 250 });
    wire.breakAfter("request", 0, "silence");
    const { answer, lastMs } = await answersAtLast();
    expect(answer).toBe("denylist_unavailable");
    expect(lastMs).toBeLessThanOrEqual(SHORT_MS);
    wire.heal();
    await becomes(mirrored, token, "accepted");
    await mirrored.untilFresh();
  });

  it("answers for so long where Redis has died", async () => {
    await open(by(wire), { timeoutMs: 250 });
    await wire.refuse();
    await eventually(() => Promise.resolve(mirrored.redis.generation("checking", "curfew:") === undefined));
    expect(await mirrored.check(token)).toBe("accepted");
    await wire.accept();
  });

  it("asks Redis when it is told nothing any more, and then connects anew", async () => {
    await open(there(), { stalenessMs: SHORT_MS, trackedAt: by(wire) });
    wire.silenceOld();
    await logOut(other, token);
    const { answer, lastMs } = await answersAtLast();
    expect(answer).toBe("token_revoked");
    expect(lastMs).toBeLessThanOrEqual(SHORT_MS);
    await mirrored.untilFresh();
    expect(await mirrored.check(token)).toBe("token_revoked");
  });

  it("refuses at once what it has logged out itself, though it is told nothing", async () => {
    await open(there(), { trackedAt: by(wire) });
    wire.silenceOld();
    await logOut(mirrored, token);
    expect(await mirrored.check(token)).toBe("token_revoked");
  });

  it("sends no heartbeats that it can't hear, whatever it logs out", async () => {
    await open(there(), { trackedAt: by(wire) });
    const heartbeats = () => redis.admin.keys("curfew:mirror:*");
    await wire.refuse();
    await eventually(async () => (await heartbeats()).length === 0);
    await logOut(mirrored, token);
    expect(await mirrored.check(token)).toBe("token_revoked");
    expect(await heartbeats()).toEqual([]);
    await wire.accept();
  });
});

describe("a Redis that tells nobody what changes", () => {
  const strict = useRedis();

  it("is asked for each check, which is logged once, until it does", async () => {
    const lines: { msg: string; cause?: string }[] = [];
    const log = pino({}, { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[0]) });
    const mirrored = await openMirrored({ mode: "single", url: strict.url }, { log });
    const said = () => lines.filter(({ msg }) => msg.includes("the mirror"));
    try {
      await eventually(() => Promise.resolve(said().length > 0));
      const { token } = await mirrored.signIn();
      expect(await mirrored.check(token)).toBe("accepted");
      await logOut(mirrored, token);
      expect(await mirrored.check(token)).toBe("token_revoked");
      expect(mirrored.status().state).toBe("waiting");
      await strict.admin.call("ACL", "SETUSER", "curfew", ...readTrackingRules().split(" "));
      await mirrored.untilFresh();
      // Its line may come after its state.
      await eventually(() => Promise.resolve(said().length > 1));
      expect(said().map(({ msg }) => msg)).toEqual(["the mirror can't follow Redis", "the mirror is fresh"]);
      expect(said()[0]?.cause).toMatch(/^NOPERM/);
    } finally {
      mirrored.stop();
    }
  }, 20_000);
});
