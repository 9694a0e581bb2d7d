import type { Request } from "express";
import { createCookies } from "../../../src/http/request/cookies";

const cookies = createCookies({ secure: false, refreshPath: "/api" });
const read = (cookie: string) => cookies.readAccess({ headers: { cookie } } as unknown as Request);

it("a cookie is read without the spaces and tabs around it, and with nothing else changed", () => {
  for (const header of [
    "curfew_access=x",
    " \t curfew_access=x \t ",
    "a=b;curfew_access=x;c=d",
    "; ;curfew_access=x;",
  ])
    expect(read(header)).toBe("x");
  expect(read('curfew_access="a b"= ')).toBe('"a b"=');
  for (const header of [
    "",
    " ",
    ";",
    "curfew_access",
    "curfew_access=",
    "curfew_access= ",
    "\u00a0curfew_access=x",
  ])
    expect(read(header)).toBeUndefined();
});

it("a header full of spaces, as long as one may be, is read in no time", () => {
  const spaces = " ".repeat(16_000);
  const startedAt = performance.now();
  // Three seconds, when the time grew with the square of the spaces.
  for (let round = 0; round < 10; round += 1) {
    expect(read(`a=b${spaces}c; curfew_access=x`)).toBe("x");
    expect(read(`curfew_access=x${spaces}`)).toBe("x");
  }
  expect(performance.now() - startedAt).toBeLessThan(500);
});
