import { setTimeout as sleep } from "node:timers/promises";
import { createEntries } from "../../src/ops/entries";
import { createEvents } from "../../src/ops/events";
import { createListing } from "../../src/ops/listing";
import { inTime, withBudget } from "../../src/redis/budget";
import type { Client, Redis } from "../../src/redis/redis";
import { createOneShard } from "../../src/redis/shards";

const ANSWER_MS = 10;
const BUDGET_MS = 200;

/** A Redis that is slow, and whose keys and events never end. */
const client = {
  dbsize: () => Promise.resolve(1_000_000),
  scan: () => Promise.resolve(["1", []]),
  xlen: () => Promise.resolve(100_000),
  xrevrange: () => Promise.resolve(Array.from({ length: 200 }, () => ["1-1", ["event", "login"]])),
} as unknown as Client;

const redis = {
  ask: (command) =>
    inTime(BUDGET_MS, async () => {
      await sleep(ANSWER_MS);
      return command(client);
    }),
} as Redis;

const shards = createOneShard("curfew:");
const listing = createListing(redis, shards, createEntries(redis, shards), createEvents(redis, shards));

it.each(["all", "newest"] as const)(
  "a page of %s ends, and says where it goes on, before the request's time with Redis is up",
  async (order) => {
    const page = await withBudget(BUDGET_MS, () => listing[order]({}, 50));
    expect(page.items).toEqual([]);
    expect(page.next).toBeDefined();
    expect(page.progress.looked).toBeGreaterThan(0);
  },
);

describe("a step of a walk that finds many keys", () => {
  const keys = Array.from({ length: 1000 }, (_, at) => `curfew:denylist:jti:${String(at).padStart(4, "0")}`);
  let read: string[] = [];
  const many = {
    dbsize: () => Promise.resolve(1000),
    scan: () => Promise.resolve(["0", keys]),
    pttl: () => Promise.resolve(1000),
    async get(key: string) {
      read.push(key);
      return Promise.resolve("why");
    },
  } as unknown as Client;
  const listOf = (answerMs: number) => {
    const slow = {
      ask: (command) =>
        inTime(BUDGET_MS, async () => {
          await sleep(answerMs);
          return command(many);
        }),
    } as Redis;
    return createListing(slow, shards, createEntries(slow, shards), createEvents(slow, shards));
  };
  beforeEach(() => {
    read = [];
  });

  it("reads little more than a page has room for", async () => {
    const page = await listOf(0).all({}, 1);
    expect(page.items.map(({ key }) => key)).toEqual([keys[0]]);
    expect(read.length).toBeLessThanOrEqual(100);
  });

  it("is read to its end, each key once, page by page", async () => {
    const found: string[] = [];
    let place: Awaited<ReturnType<typeof listing.all>>["next"];
    do {
      const page = await listOf(0).all({}, 150, place);
      found.push(...page.items.map(({ key }) => key));
      place = page.next;
    } while (place);
    expect(found.sort()).toEqual(keys);
  });

  it("is left in the middle when the request's time is nearly up, and carried on there", async () => {
    const page = await withBudget(BUDGET_MS, () => listOf(30).all({ text: "nothing like it" }, 50));
    expect(page.items).toEqual([]);
    expect(page.next).toMatchObject({ cursor: "0", after: read.at(-1) });
    expect(read.length).toBeLessThan(1000);
  });
});
