import { createFingerprints, type Fingerprints } from "./fingerprints";

/**
 * Which entries Redis has, as far as it was told. It may hold too much, which costs a question; never too little. Keys
 * are told by their bytes, one character for each.
 */
export type Copy = {
  add: (key: string) => void;
  /** To be called when a key was written or deleted. It counts as there until it is known to be gone. */
  touch: (key: string) => void;
  /** False only if there is no such entry. */
  mayHold: (key: string) => boolean;
  /** Some of the keys of which it isn't known whether they are still there. `settle` tells, or `touch` asks again. */
  takeDoubts(most: number): string[];
  settle(key: string, isThere: boolean): void;
  /** Whether more keys were touched at once than it could remember, so that it holds some that are gone. */
  readonly isLeaking: boolean;
  readonly size: number;
};

/** So many keys take some 10 MB. */
const DOUBTS_MAX = 100_000;

export function createCopy(doubtsMax = DOUBTS_MAX, fingerprints: Fingerprints = createFingerprints()): Copy {
  const doubts = new Set<string>();
  let isOverflown = false;

  return {
    add: fingerprints.add,

    touch(key) {
      fingerprints.add(key);
      if (doubts.size < doubtsMax) doubts.add(key);
      else isOverflown ||= !doubts.has(key);
    },

    mayHold: (key) => fingerprints.has(bytesOf(key)),

    takeDoubts(most) {
      const taken: string[] = [];
      for (const key of doubts) {
        if (taken.length >= most) break;
        taken.push(key);
        doubts.delete(key);
      }
      return taken;
    },

    settle(key, isThere) {
      // Touched again since Redis was asked, or perhaps, if there was no room to remember that: what Redis said may be out
      // of date.
      if (isThere || isOverflown || doubts.has(key)) return;
      fingerprints.delete(key);
    },

    get isLeaking() {
      return isOverflown && doubts.size === 0;
    },

    get size() {
      return fingerprints.size;
    },
  };
}

/** The bytes that Redis knows a key by. One that has as many bytes as characters is ASCII, and spells them already. */
export const bytesOf = (key: string) =>
  Buffer.byteLength(key) === key.length ? key : Buffer.from(key).toString("latin1");
