import type { Logger } from "pino";
import { createEpochs } from "../../../src/denylist/past/epochs";
import { createFakeRedis, createNode, epochOf, PREFIX } from "../../helpers/fake-redis";

/** Long before these tests, so that whatever is begun in them is later. */
const [FIRST, SECOND, THIRD] = [epochOf(1000), epochOf(2000), epochOf(3000)];

const said = jest.fn();
const log = { error: said } as unknown as Logger;
const lost = () => said.mock.calls.map(([line]) => (line as { lost_epoch: string }).lost_epoch);
beforeEach(() => said.mockClear());
afterEach(() => jest.restoreAllMocks());

/** An instance that knows an epoch, of a Redis that is in it. */
async function know(epoch: string | null) {
  const fake = createFakeRedis(createNode(epoch));
  const epochs = createEpochs(fake.redis, log);
  await epochs.current(PREFIX, epoch, undefined);
  fake.asked.length = 0;
  return { fake, epochs };
}

it("an epoch that is said again is the one that holds, and nothing is asked or told", async () => {
  const { fake, epochs } = await know(FIRST);
  expect(await epochs.current(PREFIX, FIRST, undefined)).toBe(FIRST);
  expect(fake.asked).toEqual([]);
  expect(said).not.toHaveBeenCalled();
});

it("one that began later holds from then on, and the loss of the other is told once", async () => {
  const { fake, epochs } = await know(FIRST);
  expect(await epochs.current(PREFIX, SECOND, undefined)).toBe(SECOND);
  expect(epochs.known(PREFIX)).toBe(SECOND);
  epochs.tellLost(PREFIX, FIRST);
  epochs.tellLost(PREFIX, FIRST);
  expect(lost()).toEqual([FIRST]);
  expect(fake.began).toEqual([]);
});

it("one of the same second holds, too: two were begun at once, and one was lost", async () => {
  const { fake, epochs } = await know(FIRST);
  expect(await epochs.current(PREFIX, epochOf(1000, "s"), undefined)).toBe(epochOf(1000, "s"));
  expect(fake.began).toEqual([]);
});

it("where there is none, one begins, which says since when", async () => {
  const { fake, epochs } = await know(null);
  const epoch = epochs.known(PREFIX);
  expect(epoch).toMatch(/^\d+-[0-9a-f]{18}$/);
  expect(Math.abs(Number.parseInt(epoch ?? "", 10) - Date.now() / 1000)).toBeLessThan(2);
  expect(fake.node.epoch).toBe(epoch);
  expect(said).not.toHaveBeenCalled();
});

it("one that was seen to end, and comes back, is over: a new one begins", async () => {
  const { fake, epochs } = await know(SECOND);
  await epochs.current(PREFIX, THIRD, undefined);
  fake.node.epoch = SECOND;
  const next = await epochs.current(PREFIX, SECOND, undefined);
  expect([SECOND, THIRD]).not.toContain(next);
  expect(fake.node.epoch).toBe(next);
  expect(lost()).toEqual([SECOND, THIRD]);
});

it("one of the same second that was seen to end is over as well", async () => {
  const { fake, epochs } = await know(epochOf(2000, "a"));
  await epochs.current(PREFIX, epochOf(2000, "b"), undefined);
  fake.node.epoch = epochOf(2000, "a");
  await epochs.current(PREFIX, epochOf(2000, "a"), undefined);
  expect(fake.began).toHaveLength(1);
});

it("one that began earlier than the one that we know is over, although we never saw it", async () => {
  const { fake, epochs } = await know(SECOND);
  fake.node.epoch = FIRST;
  const next = await epochs.current(PREFIX, FIRST, undefined);
  expect(fake.began).toEqual([next]);
  expect(epochs.known(PREFIX)).toBe(next);
  expect(lost()).toEqual([SECOND]);
});

it("where the one that we know begins later than now, by a clock that is ahead, one that begins now holds", async () => {
  jest.spyOn(Date, "now").mockReturnValue(1_900_000_000_900);
  const { fake, epochs } = await know(epochOf(1_900_000_060));
  const now = epochOf(1_900_000_000);
  expect(await epochs.current(PREFIX, now, undefined)).toBe(now);
  expect(fake.began).toEqual([]);
});

it("one that was gone when we looked, and is back before another began, is over", async () => {
  const { fake, epochs } = await know(FIRST);
  const next = await epochs.current(PREFIX, null, FIRST);
  expect(fake.began).toEqual([next]);
  expect(lost()).toEqual([FIRST]);
});

it("two that look while there is none begin one, even if the second hears so when the first is done", async () => {
  const { fake, epochs } = await know(FIRST);
  fake.node.epoch = null;
  const next = await epochs.current(PREFIX, null, FIRST);
  expect(await epochs.current(PREFIX, null, FIRST)).toBe(next);
  expect(fake.began).toEqual([next]);
  expect(lost()).toEqual([FIRST]);
});

it.each(["", "soon", "1000", "-abc", "1000-", "1000-a b", "1000-abc\n"])(
  "%j is none, and nothing is answered",
  async (malformed) => {
    const { fake, epochs } = await know(FIRST);
    await expect(epochs.current(PREFIX, malformed, undefined)).rejects.toMatchObject({
      code: "denylist_unavailable",
    });
    expect(epochs.known(PREFIX)).toBe(FIRST);
    expect(fake.asked).toEqual([]);
  },
);

describe("beginning one", () => {
  it("returns the one that an instance that was first began, which holds", async () => {
    const { fake, epochs } = await know(FIRST);
    fake.node.epoch = SECOND;
    expect(await epochs.begin(PREFIX, FIRST)).toBe(SECOND);
    expect(epochs.known(PREFIX)).toBe(SECOND);
    expect(fake.began).toEqual([]);
    expect(lost()).toEqual([FIRST]);
  });

  it("ends the one that is over for good, although we never knew it to hold", async () => {
    const { fake, epochs } = await know(FIRST);
    fake.node.epoch = epochOf(2 ** 32);
    await epochs.begin(PREFIX, epochOf(2 ** 32));
    fake.node.epoch = epochOf(2 ** 32);
    await epochs.current(PREFIX, epochOf(2 ** 32), undefined);
    expect(fake.began).toHaveLength(2);
  });

  it("where there is none leaves one alone that was begun meanwhile", async () => {
    const { fake, epochs } = await know(FIRST);
    fake.node.epoch = SECOND;
    expect(await epochs.begin(PREFIX, null)).toBe(SECOND);
    expect(fake.began).toEqual([]);
  });

  it("is the loss of what we knew, and of nothing where we knew nothing", async () => {
    const { fake, epochs } = await know(null);
    fake.node.epoch = null;
    await epochs.begin(PREFIX, null);
    expect(fake.told).toEqual(["denylist_began", "denylist_lost"]);
    expect(lost()).toHaveLength(1);
  });
});

it("each shard has its own", async () => {
  const { epochs } = await know(FIRST);
  expect(await epochs.current("other:", SECOND, undefined)).toBe(SECOND);
  expect(epochs.known(PREFIX)).toBe(FIRST);
  expect(said).not.toHaveBeenCalled();
});
