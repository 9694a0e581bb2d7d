import type { Request } from "express";
import { createCookies } from "../../../src/http/request/cookies";
import { createCredentials } from "../../../src/http/request/credentials";
import { createCrossSiteCheck, isStateChanging } from "../../../src/http/request/cross-site";
import { createOwnPagesOnly } from "../../../src/http/request/own-pages";
import type { RefreshTokens } from "../../../src/tokens/refresh-tokens";

const HOST = "app.example.com";
const ALLOWED = "https://friend.example";

type Headers = { Origin?: string; "Sec-Fetch-Site"?: string };

function isRefused(headers: Headers, host: string | undefined = HOST): boolean {
  const all: Record<string, string | undefined> = { Host: host, ...headers };
  try {
    createCrossSiteCheck([ALLOWED])({ get: (name: string) => all[name] as string & string[] });
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: "cross_site_request" });
    return true;
  }
}

const ORIGINS = {
  none: undefined,
  allowed: ALLOWED,
  own: `https://${HOST}`,
  "own, over http": `http://${HOST}`,
  "own host, other port": `https://${HOST}:8443`,
  foreign: "https://evil.example",
  "foreign, looks like ours": `https://${HOST}.evil.example`,
  "a subdomain of ours": `https://x.${HOST}`,
  "allowed, other scheme": "http://friend.example",
  "allowed, other port": "https://friend.example:444",
  "allowed, in capitals": "HTTPS://FRIEND.EXAMPLE",
  "two of them": `${ALLOWED}, https://evil.example`,
  null: "null",
  empty: "",
} as const;

const SITES = [undefined, "same-origin", "none", "same-site", "cross-site", "Same-Origin", ""] as const;

/** The rule in three lines, spelled out anew: an allowed origin; else what the browser says; else the origin's host. */
function expected(origin: keyof typeof ORIGINS, site: (typeof SITES)[number]): boolean {
  if (origin === "allowed") return true;
  if (site !== undefined) return site === "same-origin" || site === "none";
  return ["none", "own", "own, over http"].includes(origin);
}

const CASES = (Object.keys(ORIGINS) as (keyof typeof ORIGINS)[]).flatMap((origin) =>
  SITES.map((site) => [origin, site ?? "(no header)", site, expected(origin, site)] as const),
);

describe("a request that acts by cookie", () => {
  it.each(CASES)("Origin %s, Sec-Fetch-Site %s", (origin, _title, site, passes) => {
    const headers = {
      ...(ORIGINS[origin] !== undefined && { Origin: ORIGINS[origin] }),
      ...(site !== undefined && { "Sec-Fetch-Site": site }),
    };
    expect(isRefused(headers)).toBe(!passes);
  });

  it("compares host and port as they are written in Host", () => {
    expect(isRefused({ Origin: "http://localhost:3000" }, "localhost:3000")).toBe(false);
    expect(isRefused({ Origin: "http://localhost:3000" }, "LOCALHOST:3000")).toBe(false);
    expect(isRefused({ Origin: "http://[::1]:3000" }, "[::1]:3000")).toBe(false);
    expect(isRefused({ Origin: "http://localhost:3001" }, "localhost:3000")).toBe(true);
    expect(isRefused({ Origin: "http://localhost" }, "localhost:3000")).toBe(true);
    expect(isRefused({ Origin: "null" }, "")).toBe(true);
  });

  it("may only be one that changes something", () => {
    for (const method of ["GET", "HEAD", "OPTIONS", "get"]) expect(isStateChanging(method)).toBe(false);
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "FOO", ""])
      expect(isStateChanging(method)).toBe(true);
  });
});

describe("a request from somebody else's page, to a route that judges its credentials itself", () => {
  const ownPagesOnly = createOwnPagesOnly(
    createCredentials(createCookies({ secure: false, refreshPath: "/api" }), {} as RefreshTokens),
    createCrossSiteCheck([]),
  );

  function isLetThrough(headers: Record<string, string>, body?: object): boolean {
    const { authorization } = headers;
    const all: Record<string, string> = { "Sec-Fetch-Site": "cross-site", Host: HOST };
    const req = {
      get: (name: string) => all[name],
      headers,
      rawHeaders: authorization === undefined ? [] : ["Authorization", authorization],
      body,
    };
    try {
      ownPagesOnly(req as unknown as Request, {} as never, () => undefined);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: "cross_site_request" });
      return false;
    }
  }

  it.each([
    ["the access cookie", "curfew_access=x"],
    ["the refresh cookie", "curfew_refresh=x"],
    ["both", "curfew_access=x; curfew_refresh=x"],
    ["the access cookie, and two refresh cookies", "curfew_access=x; curfew_refresh=x; curfew_refresh=y"],
    ["the refresh cookie, and two access cookies", "curfew_refresh=x; curfew_access=x; curfew_access=y"],
  ])("is refused when it acts by %s", (_title, cookie) => {
    expect(isLetThrough({ cookie })).toBe(false);
  });

  it("passes where it doesn't act by cookie", () => {
    const cookie = "curfew_access=x; curfew_refresh=x";
    expect(isLetThrough({})).toBe(true);
    expect(isLetThrough({ cookie: "other=x" })).toBe(true);
    expect(isLetThrough({ cookie, authorization: "Bearer x" })).toBe(true);
    expect(isLetThrough({ cookie: "curfew_refresh=x" }, { refresh_token: "x" })).toBe(true);
  });
});
