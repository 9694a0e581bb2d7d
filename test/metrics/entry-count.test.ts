import { createEntryCount } from "../../src/metrics/entry-count";
import type { Client } from "../../src/redis/commands";
import type { Redis } from "../../src/redis/redis";
import { createOneShard } from "../../src/redis/shards";
import { eventually } from "../helpers/client";

type Reply = [cursor: string, keys: string[]];

/** A Redis that answers each SCAN with what a test gives. */
function createScans() {
  const given: ((reply: Reply | Error) => void)[] = [];
  const client = {
    scan: () =>
      new Promise<Reply>((resolve, reject) => {
        given.push((reply) => {
          if (reply instanceof Error) reject(reply);
          else resolve(reply);
        });
      }),
  } as unknown as Client;
  const redis = { ask: (command: (of: Client) => Promise<unknown>) => command(client) } as Redis;
  const asked = async () => {
    await eventually(() => Promise.resolve(given.length > 0));
    return given.shift() ?? (() => undefined);
  };
  return { redis, given, asked };
}

const shards = createOneShard("curfew:");
const TOKEN = "curfew:denylist:jti:a";
const settled = () => new Promise(setImmediate);

beforeEach(() => {
  jest.spyOn(performance, "now").mockImplementation(() => nowMs);
});
afterEach(() => {
  jest.restoreAllMocks();
});
let nowMs = 0;

it("publishes what a walk found when it is complete, and until then what the last one found", async () => {
  const { redis, asked } = createScans();
  const pauses: number[] = [];
  const count = createEntryCount(redis, shards, (ms) => Promise.resolve(pauses.push(ms)));
  expect(count.read()).toBeUndefined();
  (await asked())(["7", [TOKEN, "curfew:denylist:epoch", "curfew:denylist:sub:clerk:x"]]);
  const last = await asked();
  expect(count.read()).toBeUndefined();
  last(["0", ["curfew:denylist:sid:b", "curfew:denylist:jti:clerk:c"]]);
  await settled();
  expect(count.read()).toEqual({ token: 2, session: 1, user: 1 });

  nowMs += 60_001;
  expect(count.read()).toEqual({ token: 2, session: 1, user: 1 });
  const next = await asked();
  expect(count.read()).toEqual({ token: 2, session: 1, user: 1 });
  next(["0", []]);
  await settled();
  expect(count.read()).toEqual({ token: 0, session: 0, user: 0 });
});

it("rests ten times as long as each SCAN took, so that Redis has time for others", async () => {
  const { redis, asked } = createScans();
  const pauses: number[] = [];
  const count = createEntryCount(redis, shards, (ms) => Promise.resolve(pauses.push(ms)));
  count.read();
  for (const [tookMs, cursor] of [
    [3, "7"],
    [0.5, "9"],
    [2, "0"],
  ] as const) {
    const answer = await asked();
    nowMs += tookMs;
    answer([cursor, []]);
    await settled();
  }
  // Not after the last, which nothing follows.
  expect(pauses).toEqual([30, 5]);
});

it("walks at most once a minute, one walk at a time, and only while somebody asks", async () => {
  const { redis, given, asked } = createScans();
  const count = createEntryCount(redis, shards, () => Promise.resolve());
  count.read();
  nowMs += 120_000;
  count.read();
  await settled();
  expect(given).toHaveLength(1);
  (await asked())(["0", []]);
  await settled();
  nowMs += 59_000;
  count.read();
  expect(given).toHaveLength(0);
  nowMs += 2000;
  await settled();
  expect(given).toHaveLength(0);
  count.read();
  await settled();
  expect(given).toHaveLength(1);
});

it("publishes no part of the entries when a walk fails half-way, and tries again a minute later", async () => {
  const { redis, given, asked } = createScans();
  const count = createEntryCount(redis, shards, () => Promise.resolve());
  count.read();
  (await asked())(["7", [TOKEN]]);
  (await asked())(new Error("Redis is away"));
  await settled();
  expect(count.read()).toBeUndefined();
  expect(given).toHaveLength(0);
  nowMs += 60_001;
  count.read();
  (await asked())(["0", [TOKEN]]);
  await settled();
  expect(count.read()).toEqual({ token: 1, session: 0, user: 0 });
});
