import { randomUUID } from "node:crypto";
import { createFingerprints } from "../../../src/denylist/mirror/fingerprints";

const keyOf = (at: number | string) => `curfew:denylist:jti:${at}`;

it("has what was added, until it is deleted, and nothing else", () => {
  const set = createFingerprints();
  const keys = Array.from({ length: 5000 }, () => keyOf(randomUUID()));
  for (const key of keys) set.add(key);
  for (const key of keys) set.add(key);
  expect(set.size).toBe(5000);
  const [gone, left] = [keys.slice(0, 4000), keys.slice(4000)];
  for (const key of gone) set.delete(key);
  for (const key of gone) set.delete(key);
  expect(set.size).toBe(1000);
  expect(gone.filter(set.has)).toEqual([]);
  expect(left.filter(set.has)).toEqual(left);
});

it("agrees with a plain set through any order of additions and deletions", () => {
  const [set, plain] = [createFingerprints(), new Set<string>()];
  let state = 1;
  const random = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below;
  for (let step = 0; step < 100_000; step += 1) {
    const key = keyOf(random(3000));
    if (random(2) === 0) {
      set.add(key);
      plain.add(key);
    } else {
      set.delete(key);
      plain.delete(key);
    }
  }
  expect(set.size).toBe(plain.size);
  const all = Array.from({ length: 3000 }, (_, at) => keyOf(at));
  expect(all.filter(set.has)).toEqual(all.filter((key) => plain.has(key)));
});

it("takes less than 32 bytes for each of a million keys", () => {
  const set = createFingerprints();
  for (let at = 0; at < 1_000_000; at += 1) set.add(keyOf(at));
  // None was taken for another.
  expect(set.size).toBe(1_000_000);
  expect(set.bytes / set.size).toBeLessThan(32);
});

it("stays as small as it is while keys come and go, and shrinks when they have gone", () => {
  const set = createFingerprints();
  const alive = 1000;
  for (let at = 0; at < 100_000 + alive; at += 1) {
    set.add(keyOf(at));
    if (at >= alive) set.delete(keyOf(at - alive));
  }
  expect(set.size).toBe(alive);
  expect(set.bytes).toBeLessThanOrEqual(32 * alive);
  for (let at = 0; at < 100_000; at += 1) set.add(keyOf(at));
  const full = set.bytes;
  for (let at = 0; at < 100_000 + alive; at += 1) set.delete(keyOf(at));
  expect(set.size).toBe(0);
  expect(set.bytes).toBeLessThan(full / 10);
});

it("spreads keys differently with each seed, so that which ones collide can't be known", () => {
  const [one, other] = [createFingerprints(Buffer.alloc(8, 1)), createFingerprints(Buffer.alloc(8, 2))];
  // Keys that differ in one bit, in length only, and not at all in the last bytes.
  const keys = ["", "a", "b", "aa", "aaa", "aaaa", "aaaab", "baaab", "\0", "\0\0", "\0\0\0\0", "\xff"];
  for (const set of [one, other]) {
    for (const key of keys) set.add(key);
    expect(set.size).toBe(keys.length);
  }
});
