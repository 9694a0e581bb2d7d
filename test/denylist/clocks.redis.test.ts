import { useCurfew } from "../helpers/curfew";
import { useRedis } from "../helpers/redis";

/** An instance whose clock isn't Redis's. */
const redis = useRedis();
const curfew = useCurfew(() => ({ redis: redis.url }));
afterEach(() => {
  jest.restoreAllMocks();
});

/** The TTL of the entry that an instance writes whose clock is so many seconds ahead of Redis's. */
async function ttlAt(aheadSeconds: number, leftSeconds: number): Promise<number> {
  const jti = `ahead-${aheadSeconds}-${leftSeconds}`;
  const { now } = Date;
  const exp = now() / 1000 + leftSeconds;
  jest.spyOn(Date, "now").mockImplementation(() => now() + aheadSeconds * 1000);
  await curfew.revoke({ jti, exp });
  return (await redis.admin.pttl(`curfew:denylist:jti:${jti}`)) / 1000;
}

const SLOW_SECONDS = 5;
const expectAbout = (ttl: number, seconds: number) => {
  expect(ttl).toBeLessThanOrEqual(seconds + 0.01);
  expect(ttl).toBeGreaterThan(seconds - SLOW_SECONDS);
};

it.each([
  ["as long as the token lives, where the clocks agree", 0, 100, 100],
  ["as long by Redis's clock, where the instance's is ahead", 20, 100, 100],
  ["also where by the instance's clock the token has expired", 20, 10, 10],
  ["30 seconds longer at most, where Redis's clock is far behind", 3600, 3700, 130],
  ["longer, by its own clock, where the instance's is behind", -20, 100, 120],
])("an entry lives %s", async (_title, ahead, left, expected) => {
  expectAbout(await ttlAt(ahead, left), expected);
});

it.each([
  ["has expired by both clocks", 20, -1],
  ["has expired by the clock of an instance that is far ahead", 3600, 100],
])("nothing is written for a token that %s", async (_title, ahead, left) => {
  // As PTTL says of a key that isn't there.
  expect(await ttlAt(ahead, left)).toBe(-0.002);
});
