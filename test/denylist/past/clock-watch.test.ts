import type { Confirmations } from "../../../src/denylist/past/confirmations";
import type { Epochs } from "../../../src/denylist/past/epochs";
import { createPast } from "../../../src/denylist/past/past";
import { moment } from "../../../src/redis/clock";
import type { Redis } from "../../../src/redis/redis";

const PREFIX = "curfew:";

/** An instance whose Redis has a clock, and an epoch that others may begin too. */
function meetRedis() {
  let [epoch, generation, asked] = ["1-a", 0, 0];
  let known: string | undefined;
  let lead = { leastMs: 0, mostMs: 0, askedMs: 0 };
  const begin = jest.fn(() => Promise.resolve((known = epoch = `${epoch}b`)));
  const redis = {
    ways: ["checking"],
    mayForget: true,
    generation: () => String(generation),
    steadyLead: () => lead,
    askBy: (_way: unknown, _prefix: unknown, see: (client: object) => unknown) =>
      see({ get: () => epoch, xrevrange: () => [], xrange: () => [] }),
  };
  const epochs: Partial<Epochs> = {
    begin,
    known: () => known,
    current: (_prefix, said) => Promise.resolve((known = said ?? "")),
  };
  const confirmations: Partial<Confirmations> = { assertRecent: () => undefined };
  const past = createPast(redis as unknown as Redis, epochs as Epochs, confirmations as Confirmations);
  return {
    begin,
    othersBegin: () => (epoch = `${epoch}c`),
    /** What Redis says of its clock, later than all that happened so far. */
    tell: (leastMs: number, mostMs = leastMs) => {
      lead = { leastMs, mostMs, askedMs: moment().steadyMs + (asked += 1000) };
    },
    look: () => {
      generation += 1;
      return past.ask(PREFIX, () => Promise.resolve());
    },
  };
}

it("a jump of Redis's clock for which another instance began an epoch is not judged again, however late we read the clock", async () => {
  const { tell, look, othersBegin, begin } = meetRedis();
  await look();
  othersBegin();
  await look();
  tell(10_000);
  await look();
  expect(begin).not.toHaveBeenCalled();
  tell(20_000);
  await look();
  expect(begin).toHaveBeenCalledTimes(1);
});

it("a jump that a slow answer leaves in doubt is found with the next quick one", async () => {
  const { tell, look, begin } = meetRedis();
  await look();
  tell(1500, 3500);
  await look();
  expect(begin).not.toHaveBeenCalled();
  tell(3500);
  await look();
  expect(begin).toHaveBeenCalledTimes(1);
});
