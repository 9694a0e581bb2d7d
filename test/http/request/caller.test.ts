import type { Request } from "express";
import { knownOf } from "../../../src/http/request/caller";

it("knows of a request what was found out about it, and of no copy of it", () => {
  const req = Object.assign(Object.create(null), { url: "/" }) as Request;
  knownOf(req).client = "gateway";
  expect(knownOf(req)).toEqual({ client: "gateway" });
  expect(knownOf(Object.assign(Object.create(null), req) as Request)).toEqual({});
  expect(knownOf(Object.create(req) as Request)).toEqual({});
  expect(knownOf(req)).toEqual({ client: "gateway" });
});
