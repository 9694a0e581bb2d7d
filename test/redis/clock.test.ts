import { uptime } from "node:os";
import { createClock, hasJumped, moment, type Moment } from "../../src/redis/clock";
import { skewWarning } from "../../src/redis/info";

/** Ours: an hour after the machine was started. */
const START: Moment = { wallMs: 1_700_000_000_000, steadyMs: 3_600_000 };

const later = ({ wallMs, steadyMs }: Moment, ms: number): Moment => ({
  ...{ wallMs: wallMs + ms, steadyMs: steadyMs + ms },
});

/** Redis's clock is told, so much ahead of the one on our wall, within so long. */
function tell(clock: ReturnType<typeof createClock>, aheadMs: number, asked = START, tookMs = 0): void {
  clock.told(START.wallMs + (asked.steadyMs - START.steadyMs) + aheadMs, asked, later(asked, tookMs));
}

/** What it was before that is compared with what it is after. */
function jumpOf(...told: Parameters<typeof tell> extends [unknown, ...infer T] ? [T, T] : never): boolean {
  const clock = createClock();
  const [first, second] = told;
  tell(clock, ...first);
  const before = clock.steadyLead();
  tell(clock, ...second);
  return hasJumped(before, clock.steadyLead());
}

it.each([
  ["ahead by 2.1 seconds is a jump", 2100, true],
  ["ahead by 1.9 seconds is none", 1900, false],
  ["back by a minute is none", -60_000, false],
])("%s", (_title, ms, isJump) => {
  expect(jumpOf([500], [500 + ms, later(START, 1000)])).toBe(isJump);
});

it("what a slow answer may be to blame for is none", () => {
  expect(jumpOf([0], [2100, later(START, 1000), 500])).toBe(false);
  expect(jumpOf([0, START, 500], [2100, later(START, 1000)])).toBe(true);
  expect(jumpOf([500, START, 1000], [2400, later(START, 1000)])).toBe(false);
});

it("that our own clock is set changes how far Redis's is ahead of it, and is no jump", () => {
  const clock = createClock();
  tell(clock, 0);
  const before = clock.steadyLead();
  const asked = { ...later(START, 1000), wallMs: START.wallMs - 60_000 };
  tell(clock, 0, asked);
  expect(hasJumped(before, clock.steadyLead())).toBe(false);
  expect(clock.wallLead()).toEqual({ leastMs: 61_000, mostMs: 61_000 });
});

it("of our two clocks the one is the machine's, which nobody sets, in milliseconds", () => {
  const wallMs = Date.now() - 3_600_000;
  jest.spyOn(Date, "now").mockReturnValueOnce(wallMs);
  const startedMs = uptime() * 1000;
  const { steadyMs, ...rest } = moment();
  expect(rest).toEqual({ wallMs });
  expect(steadyMs).toBeGreaterThanOrEqual(startedMs);
  expect(steadyMs).toBeLessThan(startedMs + 10_000);
});

it("before it was told twice nothing has jumped", () => {
  const lead = { leastMs: 60_000, mostMs: 60_000 };
  expect(hasJumped(undefined, lead)).toBe(false);
  expect(hasJumped(lead, undefined)).toBe(false);
});

describe("how far it is ahead", () => {
  it("lies between what it was at the question and at the answer", () => {
    const clock = createClock();
    expect(clock.wallLead()).toBeUndefined();
    tell(clock, 100, START, 30);
    expect(clock.wallLead()).toEqual({ leastMs: 70, mostMs: 100 });
  });

  it("is known the better the more often it was told", () => {
    const clock = createClock();
    tell(clock, 100, START, 30);
    tell(clock, 90, later(START, 1000), 80);
    tell(clock, 110, later(START, 2000), 20);
    expect(clock.wallLead()).toEqual({ leastMs: 90, mostMs: 90 });
  });

  it("follows at once a clock that was set, back or ahead", () => {
    const clock = createClock();
    for (const aheadMs of [100, 99, -50]) {
      tell(clock, aheadMs);
      expect(clock.wallLead()).toEqual({ leastMs: aheadMs, mostMs: aheadMs });
    }
  });

  it("is told by the last ten answers: clocks drift", () => {
    const clock = createClock();
    tell(clock, 10, START, 10);
    for (let count = 0; count < 10; count += 1) tell(clock, 15, START, 30);
    expect(clock.wallLead()).toEqual({ leastMs: -15, mostMs: 15 });
  });
});

it("the steady clock is read in hundredths of a second, so that Redis's may be less far ahead of it", () => {
  const clock = createClock();
  tell(clock, 0);
  const leadMs = START.wallMs - START.steadyMs;
  expect(clock.steadyLead()).toMatchObject({ leastMs: leadMs - 10, mostMs: leadMs });
});

describe("a skew is told", () => {
  it.each([
    [2001, "2 seconds ahead of"],
    [-61_000, "61 seconds behind"],
  ])("of %d ms", (ms, words) => {
    const [warning] = skewWarning({ leastMs: ms, mostMs: ms });
    expect(warning).toMatchObject({ code: "clock_skew", message: expect.stringContaining(words) as string });
  });

  it.each([
    [2000, 2000],
    [-2000, -2000],
    [-5000, 5000],
    [1900, 2900],
    [-2900, -1900],
  ])("not where it may lie within two seconds: %d to %d", (leastMs, mostMs) => {
    expect(skewWarning({ leastMs, mostMs })).toEqual([]);
  });
});
