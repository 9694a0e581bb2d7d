import { join } from "node:path";
import type { Store } from "express-rate-limit";
import { readScript, type Redis } from "../redis";

const COUNT_HIT = readScript(join(__dirname, "count-hit.lua"));

export const limitKey = (prefix: string, name: string, client: string) =>
  `${prefix}ratelimit:${name}:${client}`;

/** express-rate-limit's counters in our Redis: shared by all instances, and its outage is ours, not an open door. */
export function createLimitStore(redis: Redis, prefix: string, name: string, windowSeconds: number): Store {
  const keyOf = (client: string) => limitKey(prefix, name, client);
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
