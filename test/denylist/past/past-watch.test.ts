import { createFakeRedis, createNode, epochOf, PREFIX } from "../../helpers/fake-redis";
import { createInstance } from "../../helpers/instance";

/** That it is noticed without anybody asking. */
const EPOCH = epochOf(1000);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

/** An instance that remembers 2-0 and looks by itself. */
async function watch(...[node, ways]: Parameters<typeof createFakeRedis>) {
  const fake = createFakeRedis(node, ways);
  const { past, writer } = createInstance(fake);
  const work = { script: { lua: "", sha1: "" }, keys: () => [], args: () => ({}) };
  await writer.revoke({ sub: "u", by: "u", requester: { ip: null, userAgent: null }, nowMs: 0 }, work);
  const stop = past.watch([PREFIX]);
  await pass(250);
  fake.asked.length = 0;
  return { fake, stop };
}

it("a loss is noticed a quarter of a second after it may be another Redis", async () => {
  const { fake } = await watch(createNode(EPOCH, "1-0"));
  fake.renew(createNode(EPOCH, "1-0"));
  await pass(250);
  expect(fake.began).toHaveLength(1);
});

it("a clock that is set back and ahead again between two looks was set ahead", async () => {
  let askedMs = 1e9;
  const lead = (ms: number) => ({ leastMs: ms, mostMs: ms + 10, askedMs: (askedMs += 1000) });
  const fake = createFakeRedis(createNode(EPOCH, "1-0"));
  const { past } = createInstance(fake);
  fake.steadyLead = lead(0);
  past.watch([PREFIX]);
  await pass(250);
  for (const ms of [-60_000, 0]) {
    fake.steadyLead = lead(ms);
    if (ms === 0) fake.renew();
    await pass(250);
  }
  expect(fake.began).toHaveLength(1);
});

it("on either connection", async () => {
  const { fake } = await watch(createNode(EPOCH, "1-0"), ["checking", "confirming"]);
  fake.renew(createNode(EPOCH, "1-0"), ["confirming"]);
  await pass(250);
  expect(fake.began).toHaveLength(1);
});

it("and so is that it is none, whenever that is", async () => {
  const { fake } = await watch(createNode(EPOCH, "1-0"));
  for (let times = 0; times < 5; times += 1) {
    fake.renew();
    await pass(250);
    expect(fake.asked.splice(0)).toEqual(["get", "xrevrange", "xrange"]);
  }
});

it("while nothing changes nothing is asked, except for a look every five seconds", async () => {
  const { fake } = await watch(createNode(EPOCH, "1-0"));
  await pass(4700);
  expect(fake.asked).toEqual([]);
  await pass(50);
  expect(fake.asked).toEqual(["get", "xrevrange", "xrange"]);
});

it("a loss of which there is no sign is noticed in five", async () => {
  const { fake } = await watch(createNode(EPOCH, "1-0"));
  fake.node = createNode(EPOCH, "1-0", "3-0");
  await pass(5000);
  expect(fake.told).toEqual(["denylist_lost"]);
});

it("goes on when a look fails", async () => {
  const { fake } = await watch(createNode(EPOCH, "1-0"));
  const askBy = jest.spyOn(fake.redis, "askBy").mockRejectedValue(new Error("no answer"));
  fake.renew(createNode(EPOCH, "1-0"));
  await pass(10_000);
  askBy.mockRestore();
  await pass(250);
  expect(fake.began).toHaveLength(1);
});

it("ends when it is told to", async () => {
  const { fake, stop } = await watch(createNode(EPOCH, "1-0"));
  stop();
  fake.renew(createNode(EPOCH, "1-0"));
  await pass(60_000);
  expect(fake.asked).toEqual([]);
  expect(jest.getTimerCount()).toBe(0);
});
