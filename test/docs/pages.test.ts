import { readFileSync } from "node:fs";
import { PAGES } from "./pages";
import { printSettings } from "./settings-page";

it.each(PAGES)("$file says what the code says; if it doesn't, run scripts/print-docs", ({ file, print }) => {
  expect(readFileSync(file, "utf8")).toBe(print());
});

it("what a setting is stands above each row of the table", () => {
  expect(printSettings()).not.toMatch(/\| <br>/);
});
