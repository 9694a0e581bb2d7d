import { createAlarms, type Use } from "../../src/denylist/alarms";
import { CurfewError } from "../../src/errors";
import { leftMs, withBudget } from "../../src/redis/budget";
import { connectMemory } from "../../src/redis/links/memory-link";
import type { Redis } from "../../src/redis/redis";
import { createOneShard, createShards } from "../../src/redis/shards";
import { eventually } from "../helpers/client";
import { keepLog } from "../helpers/issuer";

const WINDOW_MS = 60_000;
const CALL_MS = 1000;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Alarms with a Redis that never answers. */
function create(shards = createOneShard("curfew:"), windowMs = WINDOW_MS) {
  const runs: { keys: string[]; args: Record<string, string | number>; leftMs: number }[] = [];
  const run: Redis["run"] = (_script, keys, args) => {
    runs.push({ keys, args, leftMs: leftMs(CALL_MS) });
    return new Promise(() => undefined);
  };
  const { log, lines } = keepLog();
  const past = { witnessed: (prefix: string) => `witnessed in ${prefix}` };
  return { ...createAlarms({ redis: { run } as Redis, shards, past, log }, windowMs), lines, runs };
}

const revoked = (jti: string, { raisesEvent = true, sub = "ada" } = {}) =>
  new CurfewError("token_revoked", { about: { sub, sid: "s1", jti }, raisesEvent });

const use = (path = "/reports"): Use => ({
  by: "",
  requester: { ip: "192.0.2.1", userAgent: "x".repeat(500) },
  about: { path },
});

const WARN = 40;

describe("uses of a revoked token", () => {
  it("are one line and one event, and at the end of the window a line that says how many more", () => {
    const { raise, total, lines, runs } = create();
    for (let at = 1; at <= 20; at += 1) raise(revoked("a"), use(`/${at}`));
    const about = { level: WARN, event: "revoked_token_used", sub: "ada", sid: "s1", jti: "a" };
    expect(lines).toEqual([{ ...about, msg: about.event, path: "/1", uses: 1, total: 1 }]);
    expect(runs).toHaveLength(1);
    jest.advanceTimersByTime(WINDOW_MS);
    expect(lines.slice(1)).toEqual([{ ...about, msg: about.event, path: "/20", uses: 19, total: 20 }]);
    expect(runs).toHaveLength(2);
    expect(total()).toBe(20);
  });

  it("are one line and one event a window for as long as they go on, then none, then one at once", () => {
    const { raise, lines, runs } = create();
    for (let second = 0; second < 300; second += 1) {
      raise(revoked("a"), use());
      jest.advanceTimersByTime(1000);
    }
    expect(lines.map(({ uses }) => uses)).toEqual([1, 59, 60, 60, 60, 60]);
    expect(runs).toHaveLength(6);
    jest.advanceTimersByTime(10 * WINDOW_MS);
    expect(lines).toHaveLength(6);
    expect(jest.getTimerCount()).toBe(0);
    raise(revoked("a"), use());
    expect(lines[6]).toMatchObject({ uses: 1, total: 301 });
  });

  it("are each token's own, and an issuer's jti is another's", () => {
    const { raise, lines, runs } = create();
    for (const sub of ["ada", "clerk:ada", "other:ada"])
      raise(new CurfewError("token_revoked", { about: { sub, jti: "a" } }), use());
    expect(lines.map(({ sub }) => sub)).toEqual(["ada", "clerk:ada", "other:ada"]);
    expect(new Set(runs.map(({ keys }) => keys.at(-1))).size).toBe(3);
  });

  it("of hundreds of tokens are told of one by one up to a hundred, and together beyond", () => {
    const { raise, total, lines, runs } = create();
    const useAll = () => {
      for (let at = 0; at < 5000; at += 1) raise(revoked(`t${at}`, { sub: `user ${at % 50}` }), use());
    };
    useAll();
    expect(lines).toHaveLength(101);
    expect(lines[100]).toMatchObject({ event: "revoked_token_used", uses: 1, total: 101 });
    expect(lines[100]).toMatchObject({ msg: expect.stringMatching(/more revoked tokens/) as string });
    for (const name of ["sub", "sid", "jti"]) expect(lines[100]).not.toHaveProperty(name);
    expect([runs.length, jest.getTimerCount()]).toEqual([100, 101]);
    jest.advanceTimersByTime(WINDOW_MS);
    expect(lines[101]).toMatchObject({ uses: 4899, total: 5000 });
    expect(lines).toHaveLength(102);
    jest.advanceTimersByTime(WINDOW_MS);
    useAll();
    expect([lines.length, runs.length, total()]).toEqual([203, 200, 10_000]);
  });

  it("of one subject are told of one by one up to twenty, so that nobody can hide another's among theirs", () => {
    const { raise, lines } = create();
    for (let at = 0; at < 5000; at += 1) raise(revoked(`t${at}`), use());
    raise(revoked("a", { sub: "grace" }), use());
    expect(lines).toHaveLength(22);
    expect(lines[20]).not.toHaveProperty("jti");
    expect(lines[21]).toMatchObject({ sub: "grace", jti: "a" });
  });

  it("are told of outside the request's time, at once and later", async () => {
    jest.useRealTimers();
    const { raise, close, runs } = create(createOneShard("curfew:"), 10);
    withBudget(1, () => {
      raise(revoked("a"), use());
      raise(revoked("a"), use());
    });
    await eventually(() => Promise.resolve(runs.length === 2));
    expect(runs.map((run) => run.leftMs)).toEqual([CALL_MS, CALL_MS]);
    void close();
  });

  it("are written into the subject's shard, with the user agent cut, and what a client says of itself", () => {
    const shards = createShards("curfew:", 16);
    const { raise, runs } = create(shards);
    raise(revoked("a"), { ...use(), by: "client:reports" });
    expect(runs[0]?.keys).toHaveLength(3);
    for (const key of runs[0]?.keys ?? []) expect(key).toContain(shards.prefixOf("ada"));
    expect(runs[0]?.args).toMatchObject({ by: "client:reports", user_agent: "x".repeat(128), note: "" });
    // Where that event is gone, Redis takes none that would cover it up.
    expect(runs[0]?.args["witnessed"]).toBe(`witnessed in ${shards.prefixOf("ada")}`);
    // Shorter than a window, so that nobody's own word keeps them from telling of the next.
    expect(runs[0]?.args["quiet_ms"]).toBe(0.9 * WINDOW_MS);
  });

  it("that are still to be told of are told of in the end", () => {
    const { raise, close, lines, runs } = create();
    for (const jti of ["a", "a", "a", "b"]) raise(revoked(jti), use());
    void close();
    expect(lines.map(({ jti, uses }) => [jti, uses])).toEqual([["a", 1], ["b", 1], ["a", 2]]); // prettier-ignore
    expect(runs.map(({ args }) => args["uses"])).toEqual([1, 1, 2]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it("are one event on memory:// too, also of two instances", async () => {
    jest.useRealTimers();
    const redis = connectMemory(CALL_MS);
    const shards = createOneShard("curfew:alarms:");
    const runs: Promise<unknown>[] = [];
    const run: Redis["run"] = (...command) => {
      const reply = redis.run(...command);
      runs.push(reply);
      return reply;
    };
    const instances = [0, 1].map(() =>
      createAlarms({
        redis: { ...redis, run },
        shards,
        past: { witnessed: () => undefined },
        log: keepLog().log,
      }),
    );
    for (const { raise } of instances) raise(revoked("a"), use());
    expect(runs).toHaveLength(2);
    await Promise.all(runs);
    expect(await redis.ask((client) => client.xlen("curfew:alarms:events"))).toBe(1);
    for (const { close } of instances) await close();
    redis.close();
  });
});

describe("no alarm", () => {
  it.each<[string, unknown]>([
    ["a token from before the epoch", revoked("a", { raisesEvent: false })],
    ["a token that has expired", new CurfewError("token_expired")],
    ["an account that is gone", new CurfewError("token_revoked", { about: { sub: "ada" } })],
    ["a Redis that doesn't answer", new CurfewError("denylist_unavailable")],
    ["a fault of ours", new TypeError("x")],
  ])("is %s", (_title, refusal) => {
    const { raise, total, lines, runs } = create();
    raise(refusal, use());
    expect([total(), lines, runs, jest.getTimerCount()]).toEqual([0, [], [], 0]);
  });
});
