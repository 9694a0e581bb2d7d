import { readFileSync } from "node:fs";
import { PAGES } from "./pages";

it.each(PAGES)("$file says what the code says; if it doesn't, run scripts/print-docs", ({ file, print }) => {
  expect(readFileSync(file, "utf8")).toBe(print());
});
