import type { Store } from "express-rate-limit";
import { createScript, type Redis } from "../redis";

/**
 * Counts one hit in a window that begins with the first. KEYS 1 the counter; ARGV window_ms. Returns {hits, ms left}.
 * Atomic, so that instances that count at once let nobody slip through, and no counter stays without a TTL.
 */
const COUNT = createScript(`
local hits = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return { hits, left }`);

export const limitKey = (prefix: string, name: string, client: string) =>
  `${prefix}ratelimit:${name}:${client}`;

/** express-rate-limit's counters in our Redis: shared by all instances, and its outage is ours, not an open door. */
export function createLimitStore(redis: Redis, prefix: string, name: string, windowSeconds: number): Store {
  const keyOf = (client: string) => limitKey(prefix, name, client);
  return {
    async increment(client) {
      const reply = await redis.run(COUNT, [keyOf(client)], { window_ms: windowSeconds * 1000 });
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
