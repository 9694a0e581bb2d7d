import type { Request, Response } from "express";
import { CurfewError } from "../../../src/errors";
import { allowScrapes } from "../../../src/http/routes/metrics";

const TOKEN = "0123456789abcdef";

type Asked = { address?: string; headers?: Record<string, string>; authorization?: string[] };

/** What a scrape is refused with; undefined if it is let through. */
function refusalOf(token: string | undefined, { address, headers = {}, authorization }: Asked) {
  const req = {
    socket: { remoteAddress: address },
    headers,
    rawHeaders: (authorization ?? []).flatMap((each) => ["Authorization", each]),
  } as unknown as Request;
  const next = jest.fn();
  try {
    allowScrapes(token)(req, {} as unknown as Response, next);
  } catch (error) {
    expect(next).not.toHaveBeenCalled();
    return error instanceof CurfewError ? error.code : error;
  }
  expect(next).toHaveBeenCalledWith();
  return undefined;
}

describe("without a token", () => {
  it.each(["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])("lets %s read", (address) => {
    expect(refusalOf(undefined, { address })).toBeUndefined();
  });

  it.each(["10.0.0.7", "203.0.113.9", "::ffff:10.0.0.7", "2001:db8::1", "fe80::1%lo", undefined])(
    "isn't there for %s",
    (address) => {
      expect(refusalOf(undefined, address === undefined ? {} : { address })).toBe("not_found");
    },
  );

  it.each(["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "via"])(
    "isn't there for whoever comes through a proxy on this machine that sends %s",
    (name) => {
      expect(refusalOf(undefined, { address: "127.0.0.1", headers: { [name]: "" } })).toBe("not_found");
    },
  );

  it("isn't opened by a token that somebody makes up", () => {
    expect(refusalOf(undefined, { address: "10.0.0.7", authorization: ["Bearer "] })).toBe("not_found");
  });
});

describe("with a token", () => {
  it.each(["127.0.0.1", "203.0.113.9"])("lets whoever has it read, from %s", (address) => {
    const headers = { "x-forwarded-for": "203.0.113.9" };
    for (const scheme of ["Bearer", "bearer"])
      expect(refusalOf(TOKEN, { address, headers, authorization: [`${scheme} ${TOKEN}`] })).toBeUndefined();
  });

  it.each([
    ["token_missing", undefined],
    ["token_missing", [`Basic ${TOKEN}`]],
    ["token_missing", [TOKEN]],
    ["token_invalid", ["Bearer "]],
    ["token_invalid", [`Bearer ${TOKEN}x`]],
    ["token_invalid", [`Bearer ${TOKEN.slice(1)}`]],
    ["token_invalid", [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`]],
  ])("refuses as %s, also from this machine: %j", (code, authorization) => {
    expect(refusalOf(TOKEN, { address: "127.0.0.1", ...(authorization && { authorization }) })).toBe(code);
  });
});
