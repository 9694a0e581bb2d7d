import type { DatedLead } from "../../../src/redis/clock";
import { createFakeRedis, createNode, epochOf, PREFIX } from "../../helpers/fake-redis";
import { createInstance } from "../../helpers/instance";

/** Whether Redis's clock was set ahead, so that entries may have expired early. */
const EPOCH = epochOf(1000);

let askedMs = 1e9;
/** What Redis says of its clock, later than all that happened so far. */
const lead = (leastMs: number, mostMs = leastMs) => ({ leastMs, mostMs, askedMs: (askedMs += 1000) });

/** An instance that knows Redis's clock. */
async function know(first: DatedLead | undefined) {
  const fake = createFakeRedis(createNode(EPOCH, "1-0"));
  fake.steadyLead = first;
  const { ask, epochs } = createInstance(fake);
  expect(await ask()).toBe(EPOCH);
  /** It is looked at again, on another connection or another node. */
  async function lookAt(next: DatedLead | undefined): Promise<boolean> {
    const count = fake.began.length;
    fake.steadyLead = next;
    fake.renew();
    const epoch = await ask();
    expect(epoch).toBe(fake.node.epoch);
    return fake.began.length > count;
  }
  return { fake, ask, epochs, lookAt };
}

it("a jump of more than two seconds ahead begins an epoch, once", async () => {
  const { lookAt } = await know(lead(500));
  expect(await lookAt(lead(2600))).toBe(true);
  expect(await lookAt(lead(2600))).toBe(false);
});

it("of two jumps, one right after the other, each begins one", async () => {
  const { lookAt } = await know(lead(0));
  expect(await lookAt(lead(2100))).toBe(true);
  expect(await lookAt(lead(4200))).toBe(true);
});

it("a jump of less doesn't", async () => {
  const { lookAt } = await know(lead(500));
  expect(await lookAt(lead(2400))).toBe(false);
});

it("nor does a jump back; but one ahead from there does, as where a node with a clock ahead is promoted", async () => {
  const { lookAt } = await know(lead(0));
  expect(await lookAt(lead(-60_000))).toBe(false);
  expect(await lookAt(lead(0))).toBe(true);
});

it("nor does what may as well be a slow answer", async () => {
  const { lookAt } = await know(lead(0, 400));
  expect(await lookAt(lead(2300, 4000))).toBe(false);
});

it("a clock that isn't told for a while is compared with what it was before", async () => {
  const { lookAt } = await know(lead(0));
  expect(await lookAt(undefined)).toBe(false);
  expect(await lookAt(lead(2100))).toBe(true);
});

it("one that is told for the first time has nothing to be compared with", async () => {
  const { lookAt } = await know(undefined);
  expect(await lookAt(lead(60_000))).toBe(false);
});

it("a jump that follows the beginning of an epoch begins another, though we only heard of that one", async () => {
  const { fake, ask, epochs, lookAt } = await know(lead(0));
  fake.node.epoch = epochOf(2000);
  await epochs.current(PREFIX, epochOf(2000), undefined);
  await ask();
  expect(await lookAt(lead(60_000))).toBe(true);
});

it("of several instances that notice a jump one begins an epoch, and all agree", async () => {
  const { fake, ask, lookAt } = await know(lead(0));
  fake.steadyLead = lead(0);
  const others = [createInstance(fake), createInstance(fake)];
  for (const other of others) await other.ask();
  expect(await lookAt(lead(60_000))).toBe(true);
  const epochs = await Promise.all([ask(), ...others.map((other) => other.ask())]);
  expect(fake.began).toHaveLength(1);
  expect(epochs).toEqual(epochs.map(() => fake.began[0]));
});

it("of many questions that notice a jump together only one begins an epoch", async () => {
  const { fake, ask } = await know(lead(0));
  fake.steadyLead = lead(60_000);
  fake.renew();
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  fake.beforeAnswer = turn;
  const answers: Promise<string | null>[] = [];
  for (let count = 0; count < 10; count += 1) {
    answers.push(ask());
    await turn();
  }
  expect(new Set(await Promise.all(answers))).toEqual(new Set(fake.began));
  expect(fake.began).toHaveLength(1);
});
