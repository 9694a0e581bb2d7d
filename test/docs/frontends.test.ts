import { readFileSync } from "node:fs";
import { ERRORS } from "../../src/errors";

const page = readFileSync("docs/frontends.md", "utf8");

it("says once what to do on each error", () => {
  const [, table = ""] = page.split("## What to do on each error\n");
  const firstCells = table.split("\n").flatMap((line) => /^\| (`.*?) \|/.exec(line)?.[1] ?? []);
  const named = firstCells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code));
  expect(named.sort()).toEqual(Object.keys(ERRORS).sort());
});

// They run in scripts/test-examples.
it.each(["react/src/use-session.ts", "next/lib/curfew.ts", "next/lib/client.ts"])(
  "shows %s as it is",
  (file) => {
    expect(page).toContain(readFileSync(`docs/examples/${file}`, "utf8"));
  },
);
