import { setTimeout as sleep } from "node:timers/promises";
import { createEntries } from "../../src/ops/entries";
import { createEvents } from "../../src/ops/events";
import { createListing } from "../../src/ops/listing";
import { inTime, withBudget } from "../../src/redis/budget";
import type { Client } from "../../src/redis/commands";
import type { Redis } from "../../src/redis/redis";
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
const listing = createListing({
  ...{ redis, shards, issuers: [] },
  ...{ entries: createEntries(redis, shards), events: createEvents(redis, shards) },
});

it.each(["all", "newest"] as const)(
  "a page of %s ends, and says where it goes on, before the request's time with Redis is up",
  async (order) => {
    const page = await withBudget(BUDGET_MS, () => listing[order]({}, 50));
    expect(page.items).toEqual([]);
    expect(page.next).toBeDefined();
    expect(page.progress.looked).toBeGreaterThan(0);
  },
);
