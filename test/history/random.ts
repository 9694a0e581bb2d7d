/** Random numbers that are the same again for the same seed. */
export type Random = {
  /** From 0 to 1, without the 1. */
  next: () => number;
  /** From `from` to `to`, both included. */
  whole: (from: number, to: number) => number;
  /** Undefined if there is nothing to pick. */
  pick: <T>(from: readonly T[]) => T | undefined;
  /** Later ones more often. */
  pickLate: <T>(from: readonly T[]) => T | undefined;
  pickWeighted: <T extends [weight: number, ...unknown[]]>(from: readonly T[]) => T;
  shuffle: <T>(items: readonly T[]) => T[];
};

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
    pick: (from) => from[Math.floor(next() * from.length)],
    pickLate: (from) => from[from.length - 1 - Math.floor(next() ** 3 * from.length)],
    pickWeighted(from) {
      let left = next() * from.reduce((sum, [weight]) => sum + weight, 0);
      const picked = from.find(([weight]) => (left -= weight) < 0) ?? from[0];
      if (!picked) throw new TypeError("there is nothing to pick from");
      return picked;
    },
    shuffle: (items) =>
      items
        .map((item) => [next(), item] as const)
        .sort(([one], [other]) => one - other)
        .map(([, item]) => item),
  };
}
