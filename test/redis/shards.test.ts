import { randomUUID } from "node:crypto";
import { createOneShard, createShards } from "../../src/redis/shards";

const COUNT = 16;
const shards = createShards("curfew:", COUNT);

/** With as many shards as there are checksums, a subject's shard is its checksum. */
const checksums = createShards("", 0x1_0000);

describe("the checksum", () => {
  it("is CRC-16/XMODEM, which has 0x31C3 for its check value", () => {
    expect(checksums.prefixOf("123456789")).toBe(`{s${String(0x31c3)}}:`);
  });

  // As CLUSTER KEYSLOT of a real Redis says, which is the checksum modulo 16,384.
  it.each([
    ["пользователь", 13_798],
    ["é", 10_180],
    ["🦊", 3167],
    ["clerk:user_2abc", 184],
    ["", 0],
  ])("is taken of the UTF-8 bytes: %j", (subject, slot) => {
    expect(createShards("", 16_384).prefixOf(subject)).toBe(`{s${String(slot).padStart(2, "0")}}:`);
  });
});

describe("a cluster's shards", () => {
  it("are numbered with two digits, in a hash tag after the prefix", () => {
    const numbers = "00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15".split(" ");
    expect(shards.prefixes).toEqual(numbers.map((number) => `curfew:{s${number}}:`));
    expect(createShards("curfew:", 100).prefixes.at(-1)).toBe("curfew:{s99}:");
    expect(createShards("other:", 1).prefixes).toEqual(["other:{s00}:"]);
  });

  it("are where other programs look for them: the checksum modulo their number", () => {
    expect(shards.prefixOf("123456789")).toBe("curfew:{s03}:");
    expect(createShards("curfew:", 100).prefixOf("123456789")).toBe("curfew:{s39}:");
    expect(createShards("curfew:", 1).prefixOf("123456789")).toBe("curfew:{s00}:");
  });

  it("keep whoever they have: every instance finds a subject in the same one", () => {
    const another = createShards("curfew:", COUNT);
    for (let user = 0; user < 100; user += 1) {
      const subject = randomUUID();
      const prefix = shards.prefixOf(subject);
      expect(shards.prefixes).toContain(prefix);
      expect(shards.prefixOf(subject)).toBe(prefix);
      expect(another.prefixOf(subject)).toBe(prefix);
    }
  });

  it("have a fair share of the users each", () => {
    const users = 10_000;
    const share = users / COUNT;
    // Six standard deviations: by chance, one run in tens of millions.
    const tolerance = 6 * Math.sqrt(share * (1 - 1 / COUNT));
    const counts = new Map(shards.prefixes.map((prefix) => [prefix, 0]));
    for (let user = 0; user < users; user += 1) {
      const prefix = shards.prefixOf(randomUUID());
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    }
    expect(counts.size).toBe(COUNT);
    for (const count of counts.values()) expect(Math.abs(count - share)).toBeLessThan(tolerance);
  });
});

it("outside a cluster there is one shard, without a tag, and everybody is in it", () => {
  const one = createOneShard("curfew:");
  expect(one.prefixes).toEqual(["curfew:"]);
  for (const subject of ["123456789", "пользователь", "", "{s07}", randomUUID()])
    expect(one.prefixOf(subject)).toBe("curfew:");
});
