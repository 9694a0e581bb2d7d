import { spanOf } from "../../src/cli/times";

it.each([
  [-1, "0 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [3_599_999, "59 min"],
  [3_600_000, "1 h"],
  [86_399_999, "23 h"],
  [86_400_000, "1 d"],
])("a span of %s ms is in its largest unit: %s", (ms, text) => {
  expect(spanOf(ms)).toBe(text);
});
