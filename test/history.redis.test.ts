import { randomInt } from "node:crypto";
import { countOf, describe as tell, reportOf } from "./history/report";
import { run } from "./history/run";
import { startSingle } from "./history/single";

it("lets nobody in after a logout was acknowledged, whatever fails meanwhile", async () => {
  const seed = randomInt(2 ** 31);
  const result = await run({ startWorld: startSingle, seconds: 15, seed });
  process.stdout.write(`seed ${seed}\n${reportOf(result)}\n`);
  expect(result.findings.map(tell)).toEqual([]);

  // It was a test only if much happened.
  const counts = countOf(result.history);
  expect(counts["check"]?.done).toBeGreaterThan(300);
  expect(counts["check"]?.refused).toBeGreaterThan(300);
}, 120_000);
