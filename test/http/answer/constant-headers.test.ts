import type { Request, Response } from "express";
import helmet from "helmet";
import { constantHeaders } from "../../../src/http/answer/constant-headers";

function headersOf(middleware: (req: Request, res: Response, next: (error?: unknown) => void) => void) {
  const headers: [string, string][] = [];
  const next = jest.fn();
  const res = {
    setHeader: (name: string, value: string) => headers.push([name, value]),
    removeHeader: jest.fn(),
  };
  middleware({} as unknown as Request, res as unknown as Response, next);
  expect(next).toHaveBeenCalledWith();
  return headers;
}

it("are those that the middleware sets, on every answer, and the middleware runs once", () => {
  const run = jest.fn(helmet());
  const middleware = constantHeaders(run);
  const expected = headersOf(helmet());
  expect(expected.length).toBeGreaterThan(5);
  for (let count = 0; count < 3; count += 1) expect(headersOf(middleware)).toEqual(expected);
  expect(run).toHaveBeenCalledTimes(1);
});

it("aren't those of a middleware that waits for something, or refuses", () => {
  expect(() => constantHeaders(() => undefined)).toThrow(TypeError);
  const refuses = constantHeaders.bind(undefined, (_req, _res, next) => {
    next(new Error("no"));
  });
  expect(refuses).toThrow(TypeError);
});
