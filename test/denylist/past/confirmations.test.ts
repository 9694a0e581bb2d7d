import { createConfirmations } from "../../../src/denylist/past/confirmations";
import { createFakeRedis, createNode, epochOf, PREFIX } from "../../helpers/fake-redis";
import { createInstance } from "../../helpers/instance";

/** What is believed while replicas follow. */
const TOLERANCE_MS = 4000;
const REFUSED = { code: "denylist_unavailable", cause: { code: "NO_CONFIRMATION" } };

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function start(toleranceMs = TOLERANCE_MS) {
  const fake = createFakeRedis(createNode(epochOf(1000)));
  const confirmations = createConfirmations(fake.redis, toleranceMs);
  const stop = confirmations.watch([PREFIX]);
  const refusal = () => {
    try {
      confirmations.assertRecent(PREFIX);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  return { fake, refusal, stop };
}

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const never = new Promise<void>(() => undefined);

it("nothing is believed before the first confirmation", async () => {
  const { fake, refusal } = start();
  expect(refusal()).toMatchObject(REFUSED);
  await pass(TOLERANCE_MS / 4);
  expect(fake.asked).toEqual(["probe"]);
  expect(refusal()).toBeUndefined();
});

it("is believed within the tolerance from when the last confirmed write was sent, and no longer", async () => {
  const { fake, refusal, stop } = start();
  const late = TOLERANCE_MS / 2;
  fake.beforeAnswer = () => new Promise((resolve) => setTimeout(resolve, late));
  await pass(TOLERANCE_MS / 4 + late);
  stop();
  expect(refusal()).toBeUndefined();
  await pass(TOLERANCE_MS - late);
  expect(refusal()).toBeUndefined();
  await pass(1);
  expect(refusal()).toMatchObject(REFUSED);
});

it("a write that is confirmed by nobody counts for nothing, and the next one is sent all the same", async () => {
  const { fake, refusal } = start();
  const probe = jest.spyOn(fake.redis, "probe").mockRejectedValue(new Error("TOO_FEW_REPLICAS"));
  await pass(TOLERANCE_MS);
  expect(probe).toHaveBeenCalledTimes(4);
  expect(refusal()).toMatchObject(REFUSED);
  probe.mockRestore();
  await pass(TOLERANCE_MS / 4);
  expect(refusal()).toBeUndefined();
});

it("a machine that slept has let time pass, though the one clock stood still", async () => {
  const { refusal } = start();
  await pass(TOLERANCE_MS / 4);
  jest.setSystemTime(Date.now() + TOLERANCE_MS + 1);
  expect(refusal()).toMatchObject(REFUSED);
});

it("a clock that was set back doesn't make it last longer", async () => {
  const { refusal, stop } = start();
  await pass(TOLERANCE_MS / 4);
  stop();
  jest.setSystemTime(Date.now() - 3_600_000);
  await pass(TOLERANCE_MS);
  expect(refusal()).toBeUndefined();
  await pass(1);
  expect(refusal()).toMatchObject(REFUSED);
});

it("each shard has its own", async () => {
  const fake = createFakeRedis(createNode(epochOf(1000)));
  const confirmations = createConfirmations(fake.redis, TOLERANCE_MS);
  confirmations.watch([PREFIX]);
  await pass(TOLERANCE_MS / 4);
  expect(() => {
    confirmations.assertRecent("other:");
  }).toThrow();
});

it("with a tolerance of 0 nothing is asked, and all is believed", async () => {
  const { fake, refusal } = start(0);
  await pass(60_000);
  expect(fake.asked).toEqual([]);
  expect(refusal()).toBeUndefined();
});

it("is looked at when an answer is there, not before: it may have taken its time", async () => {
  const fake = createFakeRedis(createNode(epochOf(1000)));
  const { past, ask } = createInstance(fake, TOLERANCE_MS);
  await expect(ask()).rejects.toMatchObject(REFUSED);
  past.watch([PREFIX]);
  await pass(TOLERANCE_MS / 4);
  await ask();
  fake.redis.probe = () => never;
  await pass(TOLERANCE_MS / 4);
  fake.beforeAnswer = () => {
    jest.setSystemTime(Date.now() + TOLERANCE_MS);
    return undefined;
  };
  await expect(ask()).rejects.toMatchObject(REFUSED);
});
