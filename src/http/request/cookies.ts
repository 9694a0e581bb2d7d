import type { CookieOptions, Request, Response } from "express";
import { CurfewError } from "../../errors";
import type { Settings } from "../../settings/table";
import { createRefreshPath } from "./refresh-path";

/** The two cookies of the cookie transport. Their names are decided once, and only those names are read. */
export type Cookies = {
  readonly accessName: string;
  /** Takes in where the routes that a request has reached are mounted: there the refresh cookie belongs. */
  readonly reached: (req: Request) => void;
  /**
   * Each cookie is read on its own, so that a planted second refresh cookie can't keep the access cookie from working.
   */
  readAccess(req: Request): string | undefined;
  readRefresh(req: Request): string | undefined;
  /** Both cookies live as long as the refresh token. The access token has its own `exp`. */
  set(res: Response, tokens: { accessToken: string; refreshToken: string; maxAgeSeconds: number }): void;
  clearAccess(res: Response): void;
  clearRefresh(res: Response): void;
};

/** Browsers send the refresh cookie only to its path and below. */
export function createCookies({ secure, refreshPath }: Settings["cookies"]): Cookies {
  const accessName = secure ? "__Host-curfew_access" : "curfew_access";
  const refreshName = secure ? "__Secure-curfew_refresh" : "curfew_refresh";
  const common: CookieOptions = { httpOnly: true, secure, sameSite: "lax" };
  const access: CookieOptions = { ...common, path: "/" };
  const path = createRefreshPath(refreshPath);

  function clearRefreshAt(res: Response, paths: readonly string[]): void {
    for (const each of new Set(paths)) res.cookie(refreshName, "", { ...common, path: each, maxAge: 0 });
  }

  return {
    accessName,
    reached: path.reached,
    readAccess: (req) => oneOf(accessName, valuesOf(req, accessName)),
    readRefresh(req) {
      const values = valuesOf(req, refreshName);
      // One of them may be ours from before the mount was known. Without it, the next request can be understood.
      if (values.length > 1 && req.res) clearRefreshAt(req.res, path.above(req));
      return oneOf(refreshName, values);
    },
    set(res, { accessToken, refreshToken, maxAgeSeconds }) {
      const maxAge = maxAgeSeconds * 1000;
      res.cookie(accessName, accessToken, { ...access, maxAge });
      res.cookie(refreshName, refreshToken, { ...common, path: path.of(res.req), maxAge });
      if (valuesOf(res.req, refreshName).length > 0) clearRefreshAt(res, path.above(res.req));
    },
    clearAccess: (res) => void res.cookie(accessName, "", { ...access, maxAge: 0 }),
    clearRefresh(res) {
      clearRefreshAt(res, [path.of(res.req), ...path.above(res.req), ...path.former]);
    },
  };
}

/** Returns the texts of all cookies with this name as they were sent, not decoded. */
const valuesOf = (req: Request, name: string) =>
  (req.headers.cookie ?? "")
    .split(";")
    .map(withoutSpaceAround)
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));

/**
 * Two cookies with the same name are refused: a sibling domain may have planted one, and there is no telling which.
 */
function oneOf(name: string, values: readonly string[]): string | undefined {
  if (values.length > 1) {
    throw new CurfewError("invalid_request", {
      details: [{ path: name, message: "must not be sent twice" }],
    });
  }
  return values[0] === "" ? undefined : values[0];
}

/**
 * Removes spaces and tabs only (RFC 6265). Not by /[ \t]+$/, which takes quadratic time: 0.4 s for 16 KiB of spaces.
 */
function withoutSpaceAround(pair: string): string {
  let [start, end] = [0, pair.length];
  while (isSpace(pair[start])) start += 1;
  while (end > start && isSpace(pair[end - 1])) end -= 1;
  return pair.slice(start, end);
}

const isSpace = (letter: string | undefined) => letter === " " || letter === "\t";
