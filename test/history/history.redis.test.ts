import { randomInt } from "node:crypto";
import { countOf, describe as tell, reportOf, type Counts, type Verdict } from "./report";
import { run, type Result } from "./run";
import { startSingle } from "./single";

const seed = randomInt(2 ** 31);
let result: Result;
let counts: Counts;
beforeAll(async () => {
  result = await run({ startWorld: startSingle, seconds: 15, seed });
  counts = countOf(result.history);
}, 120_000);

it("lets nobody in after a logout was acknowledged, whatever fails meanwhile", () => {
  // With all that happened, and with what makes most of it happen again.
  if (result.findings.length > 0) process.stderr.write(`seed ${seed}\n${reportOf(result)}\n`);
  expect(result.findings.map(tell)).toEqual([]);
});

describe("so much happened that it was a test", () => {
  it.each<[kind: string, verdict: Verdict, atLeast: number]>([
    ["check", "done", 300],
    ["check", "refused", 300],
    ["check", "unavailable", 20],
    ["refresh", "done", 50],
    ["refresh", "refused", 50],
    ["logout", "done", 50],
    ["logout", "unavailable", 5],
    ["logout of all devices", "done", 5],
    ["end of a session", "done", 5],
    ["end of the others", "done", 5],
    ["flush", "done", 1],
  ])("%s: %s", (kind, verdict, atLeast) => {
    expect(counts[kind]?.[verdict]).toBeGreaterThanOrEqual(atLeast);
  });

  it("every fault came", () => {
    expect(new Set(result.strikes.map(({ name }) => name)).size).toBe(19);
  });
});
