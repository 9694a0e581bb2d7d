import { randomBytes } from "node:crypto";

/**
 * A set of keys of which it knows only a 64-bit fingerprint each: in 8 bytes, and rarely more than 32 with the room
 * that is free. Two keys with the same fingerprint would count as one, which happens to a set of a million keys once in
 * 10¹³ times. Nobody can bring it about, because the hash has a secret seed.
 */
export type Fingerprints = {
  add: (key: string) => void;
  has: (key: string) => boolean;
  delete: (key: string) => void;
  readonly size: number;
  readonly bytes: number;
};

/** Each grows by itself, because a single table of a million takes tens of milliseconds to grow. */
const TABLES = 256;

/** Keys are told by their bytes: one character for each. */
export function createFingerprints(seed: Buffer = randomBytes(8)): Fingerprints {
  const hash = createHash(seed);
  const tables = Array.from({ length: TABLES }, createTable);
  const sum = (what: "size" | "bytes") => tables.reduce((all, table) => all + table[what], 0);

  function tableOf(key: string): Table {
    hash.read(key);
    const table = tables[hash.second % TABLES];
    if (!table) throw new RangeError("there is no such table");
    return table;
  }

  return {
    add(key) {
      tableOf(key).add(hash.first, hash.second);
    },
    has: (key) => tableOf(key).has(hash.first, hash.second),
    delete(key) {
      tableOf(key).delete(hash.first, hash.second);
    },
    get size() {
      return sum("size");
    },
    get bytes() {
      return sum("bytes");
    },
  };
}

/** A set of fingerprints, in two halves each. No fingerprint is 0 and 0. */
type Table = {
  add: (first: number, second: number) => void;
  has: (first: number, second: number) => boolean;
  delete: (first: number, second: number) => void;
  readonly size: number;
  readonly bytes: number;
};

const SMALLEST = 8;
/** When it is fuller than this it grows, and when it is emptier than the other it shrinks, to half as full in between. */
const FULLEST = 0.75;
const EMPTIEST = 0.125;

function createTable(): Table {
  // Two cells for each fingerprint; 0 and 0 where there is none. Linear probing: it lies at the first free place from
  // where its first half points to.
  let cells = new Uint32Array(2 * SMALLEST);
  let size = 0;

  const places = () => cells.length / 2;
  const isFree = (place: number) => cells[2 * place] === 0 && cells[2 * place + 1] === 0;
  const next = (place: number) => (place + 1) & (places() - 1);

  /** Where the fingerprint is, or where it would have to be. */
  function find(first: number, second: number): number {
    let place = first & (places() - 1);
    while (!isFree(place) && (cells[2 * place] !== first || cells[2 * place + 1] !== second)) {
      place = next(place);
    }
    return place;
  }

  function put(place: number, first: number, second: number): void {
    cells[2 * place] = first;
    cells[2 * place + 1] = second;
  }

  function resize(count: number): void {
    const old = cells;
    cells = new Uint32Array(2 * count);
    for (let at = 0; at < old.length; at += 2) {
      const [first = 0, second = 0] = [old[at], old[at + 1]];
      if (first !== 0 || second !== 0) put(find(first, second), first, second);
    }
  }

  /** Fills the gap with what could not be found beyond it. */
  function close(gap: number): void {
    for (let place = next(gap); !isFree(place); place = next(place)) {
      const [first = 0, second = 0] = [cells[2 * place], cells[2 * place + 1]];
      const wanted = first & (places() - 1);
      const isReached = gap <= place ? gap < wanted && wanted <= place : gap < wanted || wanted <= place;
      if (isReached) continue;
      put(gap, first, second);
      gap = place;
    }
    put(gap, 0, 0);
  }

  return {
    add(first, second) {
      const place = find(first, second);
      if (!isFree(place)) return;
      put(place, first, second);
      size += 1;
      if (size > FULLEST * places()) resize(2 * places());
    },

    has: (first, second) => !isFree(find(first, second)),

    delete(first, second) {
      const place = find(first, second);
      if (isFree(place)) return;
      close(place);
      size -= 1;
      if (size < EMPTIEST * places() && places() > SMALLEST) resize(places() / 2);
    },

    get size() {
      return size;
    },

    get bytes() {
      return cells.byteLength;
    },
  };
}

/**
 * HalfSipHash-1-3 with 64 bits of output: a hash that depends on a secret, so that keys that collide can't be made up.
 * The result stays in the object, because this runs for every check.
 */
function createHash(seed: Buffer) {
  const [seed0, seed1] = [seed.readInt32LE(0), seed.readInt32LE(4)];
  let [v0, v1, v2, v3] = [0, 0, 0, 0];

  function round(): void {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }

  function absorb(word: number): void {
    v3 ^= word;
    round();
    v0 ^= word;
  }

  function squeeze(): number {
    round();
    round();
    round();
    return (v1 ^ v3) >>> 0;
  }

  const hash = {
    first: 0,
    second: 0,

    read(key: string): void {
      v0 = seed0;
      v1 = seed1 ^ 0xee;
      v2 = 0x6c796765 ^ seed0;
      v3 = 0x74656462 ^ seed1;
      const { length } = key;
      let word = 0;
      for (let at = 0; at < length; at += 1) {
        word |= key.charCodeAt(at) << (8 * (at & 3));
        if ((at & 3) === 3) {
          absorb(word);
          word = 0;
        }
      }
      absorb(word | (length << 24));
      v2 ^= 0xee;
      hash.first = squeeze();
      v1 ^= 0xdd;
      // 0 and 0 mark a free place.
      hash.second = squeeze() || 1;
    },
  };
  return hash;
}
