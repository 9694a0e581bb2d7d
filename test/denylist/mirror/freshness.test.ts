import { createFreshness } from "../../../src/denylist/mirror/freshness";

const MAX_MS = 1000;

function start() {
  const clocks = { steady: 5000, wall: 1_000_000 };
  const freshness = createFreshness(MAX_MS, () => [clocks.steady, clocks.wall]);
  const pass = (ms: number) => {
    clocks.steady += ms;
    clocks.wall += ms;
  };
  const prove = () => {
    const beat = freshness.begin();
    freshness.heard(beat);
    freshness.answered(beat);
  };
  return { clocks, freshness, pass, prove };
}

it("is fresh once a heartbeat was both heard and acknowledged, in either order", () => {
  for (const [one, other] of [
    ["heard", "answered"],
    ["answered", "heard"],
  ] as const) {
    const { freshness } = start();
    expect(freshness.isFresh()).toBe(false);
    const beat = freshness.begin();
    freshness[one](beat);
    expect(freshness.isFresh()).toBe(false);
    freshness[other](beat);
    expect(freshness.isFresh()).toBe(true);
  }
});

it("counts from when the heartbeat was sent, not from when it was heard", () => {
  const { freshness, pass } = start();
  const beat = freshness.begin();
  pass(800);
  freshness.heard(beat);
  freshness.answered(beat);
  expect(freshness.ageMs()).toBe(800);
  pass(200);
  expect(freshness.isFresh()).toBe(true);
  pass(1);
  expect(freshness.isFresh()).toBe(false);
});

it("takes no heartbeat for another", () => {
  const { freshness, pass } = start();
  const slow = freshness.begin();
  pass(900);
  const quick = freshness.begin();
  freshness.answered(quick);
  freshness.heard(slow);
  freshness.answered(slow);
  expect(freshness.ageMs()).toBe(900);
});

it("takes the larger time of the two clocks", () => {
  const sleep = start();
  sleep.prove();
  sleep.clocks.wall += MAX_MS + 1;
  expect(sleep.freshness.isFresh()).toBe(false);
  const setBack = start();
  setBack.prove();
  setBack.clocks.wall -= 3_600_000;
  expect(setBack.freshness.isFresh()).toBe(true);
  setBack.clocks.steady += MAX_MS + 1;
  expect(setBack.freshness.isFresh()).toBe(false);
});

it("is fresh again after a doubt only by a heartbeat that was sent later", () => {
  const { freshness, prove } = start();
  prove();
  const underWay = freshness.begin();
  freshness.doubt();
  freshness.heard(underWay);
  freshness.answered(underWay);
  expect(freshness.isFresh()).toBe(false);
  prove();
  expect(freshness.isFresh()).toBe(true);
});

it("is deaf when a heartbeat that was acknowledged isn't heard for long", () => {
  const { freshness, pass, prove } = start();
  const lost = freshness.begin();
  const failed = freshness.begin();
  freshness.failed(failed);
  pass(600);
  // Until now this process may have been too busy to read what came.
  freshness.answered(lost);
  expect(freshness.isDeaf(500)).toBe(false);
  pass(501);
  expect(freshness.isDeaf(500)).toBe(true);
  freshness.doubt();
  expect(freshness.isDeaf(500)).toBe(true);
  freshness.restart();
  expect(freshness.isDeaf(500)).toBe(false);
  prove();
  expect(freshness.isFresh()).toBe(true);
});

it("isn't deaf because of one heartbeat that is never heard, if a later one is", () => {
  const { freshness, pass, prove } = start();
  freshness.answered(freshness.begin());
  prove();
  pass(501);
  expect(freshness.isDeaf(500)).toBe(false);
});
