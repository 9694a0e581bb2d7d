import type { CookieOptions, Request, Response } from "express";
import { CurfewError } from "../../errors";
import type { Settings } from "../../settings/table";

/** The two cookies of the cookie transport. Their names are decided once, and only those names are read. */
export type Cookies = {
  readonly accessName: string;
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

/** Browsers send the refresh cookie only to `refreshPath` and below, so the routes must be mounted there. */
export function createCookies({ secure, refreshPath }: Settings["cookies"]): Cookies {
  const accessName = secure ? "__Host-curfew_access" : "curfew_access";
  const refreshName = secure ? "__Secure-curfew_refresh" : "curfew_refresh";
  const common: CookieOptions = { httpOnly: true, secure, sameSite: "lax" };
  const access: CookieOptions = { ...common, path: "/" };
  const refresh: CookieOptions = { ...common, path: refreshPath };

  return {
    accessName,
    readAccess: (req) => readCookie(req, accessName),
    readRefresh: (req) => readCookie(req, refreshName),
    set(res, { accessToken, refreshToken, maxAgeSeconds }) {
      const maxAge = maxAgeSeconds * 1000;
      res.cookie(accessName, accessToken, { ...access, maxAge });
      res.cookie(refreshName, refreshToken, { ...refresh, maxAge });
    },
    clearAccess: (res) => void res.cookie(accessName, "", { ...access, maxAge: 0 }),
    clearRefresh: (res) => void res.cookie(refreshName, "", { ...refresh, maxAge: 0 }),
  };
}

/**
 * Returns a cookie's text as it was sent, not decoded. Two cookies with the same name are refused: a sibling domain may
 * have planted one, and there is no telling which.
 */
function readCookie(req: Request, name: string): string | undefined {
  const values = (req.headers.cookie ?? "")
    .split(";")
    .map(withoutSpaceAround)
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
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
