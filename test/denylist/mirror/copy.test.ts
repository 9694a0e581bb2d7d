import { createCopy } from "../../../src/denylist/mirror/copy";

it("holds what was added, and what was touched until it is known to be gone", () => {
  const copy = createCopy();
  copy.add("added");
  copy.touch("written");
  copy.touch("deleted");
  expect(["added", "written", "deleted", "other"].map(copy.mayHold)).toEqual([true, true, true, false]);
  expect(copy.takeDoubts(10)).toEqual(["written", "deleted"]);
  copy.settle("written", true);
  copy.settle("deleted", false);
  expect(["added", "written", "deleted"].map(copy.mayHold)).toEqual([true, true, false]);
  expect(copy.takeDoubts(10)).toEqual([]);
});

it("believes no answer about a key that was touched again after the question", () => {
  const copy = createCopy();
  copy.touch("key");
  expect(copy.takeDoubts(1)).toEqual(["key"]);
  copy.touch("key");
  copy.settle("key", false);
  expect(copy.mayHold("key")).toBe(true);
  expect(copy.takeDoubts(1)).toEqual(["key"]);
  copy.settle("key", false);
  expect(copy.mayHold("key")).toBe(false);
});

it("knows keys by the bytes that Redis has of them", () => {
  const copy = createCopy();
  for (const key of ["naïve", "日本", "\ud800"]) {
    expect(copy.mayHold(key)).toBe(false);
    copy.touch(Buffer.from(key).toString("latin1"));
    expect(copy.mayHold(key)).toBe(true);
  }
});

it("hands out so many doubts at a time and no more", () => {
  const copy = createCopy();
  for (const key of ["a", "b", "c"]) copy.touch(key);
  expect([copy.takeDoubts(2), copy.takeDoubts(2), copy.takeDoubts(2)]).toEqual([["a", "b"], ["c"], []]);
});

it("holds what it has no room to ask about, and says so", () => {
  const copy = createCopy(2);
  for (const key of ["a", "b", "a"]) copy.touch(key);
  for (const key of copy.takeDoubts(2)) copy.settle(key, false);
  expect(copy.isLeaking).toBe(false);
  for (const key of ["a", "b", "c"]) copy.touch(key);
  expect(copy.mayHold("c")).toBe(true);
  expect(copy.isLeaking).toBe(false);
  for (const key of copy.takeDoubts(2)) copy.settle(key, false);
  expect(copy.mayHold("c")).toBe(true);
  expect(copy.isLeaking).toBe(true);
});

it("keeps a key that was touched again while it was asked about, though there was no room to ask again", () => {
  const copy = createCopy(2);
  copy.touch("lifted, then denied again");
  const [asked = ""] = copy.takeDoubts(1);
  for (const key of ["a", "b", asked]) copy.touch(key);
  copy.settle(asked, false);
  expect(copy.mayHold(asked)).toBe(true);
  for (const key of copy.takeDoubts(2)) copy.settle(key, false);
  expect(copy.isLeaking).toBe(true);
});

it("takes no more memory for entries that came and expired", () => {
  const copy = createCopy();
  for (let at = 0; at < 100_000; at += 1) {
    copy.touch(`entry ${at}`);
    for (const key of copy.takeDoubts(1)) copy.settle(key, true);
    if (at >= 100) {
      copy.touch(`entry ${at - 100}`);
      for (const key of copy.takeDoubts(1)) copy.settle(key, false);
    }
  }
  expect(copy.size).toBe(100);
});
