import { withBudget } from "../../src/redis/budget";
import type { Link } from "../../src/redis/links/link";
import { createRedis } from "../../src/redis/redis";

const NOW = 1_900_000_000_000;
const TIMEOUT_MS = 250;

/** As one sees it whose Redis has a clock, or several, that are so far ahead at least. */
const redisAhead = (...leadsMs: number[]) => {
  const wallLeads = () => leadsMs.map((leastMs) => ({ leastMs, mostMs: leastMs + 1 }));
  const link = { client: {}, wallLeads, failure: () => undefined, firstContact: Promise.resolve([]) };
  return createRedis(link as unknown as Link, undefined, { timeoutMs: TIMEOUT_MS, minReplicas: 0 });
};

beforeEach(() => jest.useFakeTimers({ now: NOW }));
afterEach(() => jest.useRealTimers());

describe("a call's deadline", () => {
  it.each([5000, 0, -5000])("is told on Redis's clock, which is %d ms ahead", (leadMs) => {
    expect(redisAhead(leadMs).deadlineMs()).toBe(NOW + leadMs + TIMEOUT_MS - 1);
  });

  it("is told on the clock that is furthest ahead", () => {
    expect(redisAhead(2000, 5000, -1000).deadlineMs()).toBe(NOW + 5000 + TIMEOUT_MS - 1);
  });

  it("is what its request has left", () => {
    expect(withBudget(100, () => redisAhead(5000).deadlineMs())).toBe(NOW + 5000 + 100 - 1);
  });

  it("is early rather than late, where what is left is no whole number", () => {
    expect(withBudget(100.9, () => redisAhead(0).deadlineMs())).toBe(NOW + 100 - 1);
  });

  it("counts what the call that is under way has taken so far", async () => {
    const redis = redisAhead(0);
    const deadline = withBudget(TIMEOUT_MS, () =>
      redis.ask(async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        return redis.deadlineMs();
      }),
    );
    await jest.advanceTimersByTimeAsync(100);
    expect(await deadline).toBe(NOW + TIMEOUT_MS - 1);
  });

  it("is none where Redis doesn't tell the time", () => {
    expect(redisAhead().deadlineMs()).toBeUndefined();
  });
});
