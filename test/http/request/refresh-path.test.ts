import type { Request } from "express";
import { createRefreshPath } from "../../../src/http/request/refresh-path";

const at = (baseUrl: string) => ({ baseUrl }) as unknown as Request;
const elsewhere = at("");

it("is where the routes are mounted, for requests that reach them", () => {
  const path = createRefreshPath(undefined);
  const places = ["/auth", "/api/v1/auth", "", "/one;two"].map((mount) => {
    const req = at(mount);
    path.reached(req);
    return [path.of(req), path.above(req)];
  });
  expect(places).toEqual([
    ["/auth", ["/"]],
    ["/api/v1/auth", ["/", "/api", "/api/v1"]],
    ["/", []],
    ["/", []],
  ]);
});

it("is the one mount that is known, for others; and / while none is known, or several are", () => {
  const path = createRefreshPath(undefined);
  expect(path.of(elsewhere)).toBe("/");
  path.reached(at("/auth"));
  path.reached(at("/auth"));
  expect(path.of(elsewhere)).toBe("/auth");
  path.reached(at("/other"));
  path.reached(at("/other"));
  expect(path.of(elsewhere)).toBe("/");
});

it("is nowhere that only one client's spelling names, for others", () => {
  const path = createRefreshPath(undefined);
  const shouting = at("/AUTH");
  path.reached(shouting);
  expect([path.of(shouting), path.of(elsewhere)]).toEqual(["/AUTH", "/"]);
});

it("is what is configured, whatever else is known", () => {
  const path = createRefreshPath("/app/auth");
  const req = at("/auth");
  path.reached(req);
  expect([path.of(req), path.above(req), path.former]).toEqual(["/app/auth", [], []]);
});
