import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

it("is one module of at most 3 kB, compressed, that needs nothing else", () => {
  const text = readFileSync("dist/browser/curfew.js", "utf8");
  expect(gzipSync(text).length).toBeLessThanOrEqual(3000);
  expect(text).toContain("createClient");
  expect(text).not.toMatch(/\bimport\b/);
});
