import { join } from "node:path";
import type { Store } from "express-rate-limit";
import type { Redis } from "../../redis/redis";
import { readScript } from "../../redis/script";
import type { Shards } from "../../redis/shards";

const COUNT_HIT = readScript(join(__dirname, "count-hit.lua"));

export const limitKey = (shards: Shards, name: string, client: string) =>
  `${shards.prefixOf(client)}ratelimit:${name}:${client}`;

/**
 * Keeps express-rate-limit's counters in Redis: all instances share them, and while Redis is away nothing gets through.
 */
export function createLimitStore(redis: Redis, shards: Shards, name: string, windowSeconds: number): Store {
  const keyOf = (client: string) => limitKey(shards, name, client);
  return {
    async increment(client) {
      const reply = await redis.run(COUNT_HIT, [keyOf(client)], { window_ms: windowSeconds * 1000 });
      const [totalHits, leftMs] = reply as [number, number];
      return { totalHits, resetTime: new Date(Date.now() + leftMs) };
    },
    // Called only for limits that don't count some requests; these count all.
    decrement: () => undefined,
    async resetKey(client) {
      await redis.ask((commands) => commands.del(keyOf(client)));
    },
  };
}
