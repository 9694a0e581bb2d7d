import { join } from "node:path";
import type { Store } from "express-rate-limit";
import type { Redis } from "../../redis/redis";
import { readScript } from "../../redis/script";
import type { Shards } from "../../redis/shards";

const COUNT_HIT = readScript(join(__dirname, "count-hit.lua"));

export const limitKey = (shards: Shards, name: string, client: string) =>
  `${shards.prefixOf(client)}ratelimit:${name}:${client}`;

/** express-rate-limit's counters in our Redis: shared by all instances, and its outage is ours, not an open door. */
export function createLimitStore(redis: Redis, shards: Shards, name: string, windowSeconds: number): Store {
  const keyOf = (client: string) => limitKey(shards, name, client);
  return {
    async increment(client) {
      const reply = await redis.run(COUNT_HIT, [keyOf(client)], { window_ms: windowSeconds * 1000 });
      const [totalHits, leftMs] = reply as [number, number];
      return { totalHits, resetTime: new Date(Date.now() + leftMs) };
    },
    // Only asked of stores whose limits forgive; ours don't.
    decrement: () => undefined,
    async resetKey(client) {
      await redis.ask((commands) => commands.del(keyOf(client)));
    },
  };
}
