import { strictEqual } from "node:assert";

/** Lets the helpers run without Jest: imported before them, it gives them the one expectation that they need. */
Object.assign(globalThis, {
  expect: (seen: unknown) => ({
    toBe: (right: unknown) => {
      strictEqual(seen, right);
    },
  }),
});
