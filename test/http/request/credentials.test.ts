import type { Request } from "express";
import { CurfewError, type ErrorCode } from "../../../src/errors";
import { createCookies, type Cookies } from "../../../src/http/request/cookies";
import { createCredentials } from "../../../src/http/request/credentials";
import type { RefreshToken, RefreshTokens } from "../../../src/tokens/refresh-tokens";

const TOKEN: RefreshToken = { sub: "ada", sid: "s1", generation: 0, exp: 1, endsAt: 1 };

const refusal = (code: ErrorCode) => expect.objectContaining({ code }) as Error;

/** Credentials of one request, and what was read and verified for them. */
function readFrom({ body, cookie = "", authorization }: Record<string, unknown>) {
  const calls: string[] = [];
  const cookies = createCookies({ secure: false, refreshPath: "/api" });
  const counting: Cookies = {
    ...cookies,
    readAccess: (req) => (calls.push("access cookie"), cookies.readAccess(req)),
    readRefresh: (req) => (calls.push("refresh cookie"), cookies.readRefresh(req)),
  };
  const verify: RefreshTokens["verify"] = (token) => {
    calls.push(`verify ${token}`);
    if (token !== "good") throw new CurfewError("refresh_token_invalid");
    return TOKEN;
  };
  const credentialsOf = createCredentials(counting, { verify } as RefreshTokens);
  const rawHeaders = authorization === undefined ? [] : ["Authorization", authorization];
  const req = { headers: { cookie, authorization }, rawHeaders, body } as unknown as Request;
  return { credentialsOf: () => credentialsOf(req), calls };
}

it("are read and verified once, however many ask", () => {
  const { credentialsOf, calls } = readFrom({ cookie: "curfew_access=a; curfew_refresh=good" });
  for (let count = 0; count < 3; count += 1) {
    expect(credentialsOf().access()).toEqual({ token: "a", transport: "cookie" });
    expect(credentialsOf().accessCookie()).toBe("a");
    expect(credentialsOf().refresh()).toEqual({ token: "good", transport: "cookie" });
    expect(credentialsOf().refreshToken()).toBe(TOKEN);
  }
  expect(calls).toEqual(["access cookie", "refresh cookie", "verify good"]);
});

it("throw what is wrong with them to each who asks", () => {
  const { credentialsOf, calls } = readFrom({ authorization: "Bearer !", body: { refresh_token: "forged" } });
  for (let count = 0; count < 2; count += 1) {
    expect(() => credentialsOf().access()).toThrow(refusal("token_invalid"));
    expect(() => credentialsOf().refreshToken()).toThrow(refusal("refresh_token_invalid"));
  }
  expect(calls).toEqual(["verify forged"]);
});

it("are missing where a request brings none", () => {
  const { credentialsOf } = readFrom({});
  expect([credentialsOf().access(), credentialsOf().refresh()]).toEqual([undefined, undefined]);
  expect(() => credentialsOf().refreshToken()).toThrow(refusal("token_missing"));
});
