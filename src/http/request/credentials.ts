import { isIP } from "node:net";
import type { Request } from "express";
import type { Requester } from "../../denylist/entry";
import { CurfewError } from "../../errors";
import type { Cookies } from "./cookies";

/** How tokens travel: in headers and bodies, or in cookies. */
export type Transport = "bearer" | "cookie";

export type Credential = { token: string; transport: Transport };

/** Whoever writes Bearer means us, and is told when the rest is not as it should be. */
const MEANS_BEARER = /^bearer(?![a-z0-9-])/i;
const BEARER = /^bearer(?: +(?<token>.*))?$/i;
const B64TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * The access token as the request carries it, not yet verified. An Authorization header wins: beside it the cookie is
 * not looked at, whatever the header holds. A token in the URL or the body never is (RFC 6750 §5.3).
 */
export function readAccessToken(req: Request, cookies: Cookies): Credential | undefined {
  const [header, ...repeated] = req.headersDistinct["authorization"] ?? [];
  // Node keeps the first of several and drops the rest without a word.
  if (repeated.length > 0) {
    throw new CurfewError("invalid_request", {
      details: [{ path: "Authorization", message: "must not be sent twice" }],
    });
  }
  if (header === undefined) return credentialOf(cookies.readAccess(req), "cookie");
  if (!MEANS_BEARER.test(header)) return undefined;
  const bearer = BEARER.exec(header);
  if (!bearer) throw new CurfewError("token_invalid");
  return credentialOf(bearer.groups?.["token"], "bearer");
}

/** The refresh token that the body brings, else the cookie's; the cookie, too, is not looked at beside a header. */
export function readRefreshToken(req: Request, cookies: Cookies): Credential | undefined {
  const { refresh_token: inBody } = (req.body ?? {}) as { refresh_token?: unknown };
  if (typeof inBody === "string") return { token: inBody, transport: "bearer" };
  if (req.headers.authorization !== undefined) return undefined;
  const token = cookies.readRefresh(req);
  return token === undefined ? undefined : { token, transport: "cookie" };
}

function credentialOf(token: string | undefined, transport: Transport): Credential | undefined {
  if (token === undefined || token === "") return undefined;
  if (!B64TOKEN.test(token)) throw new CurfewError("token_invalid");
  return { token, transport };
}

/** A proxy's word for where a request comes from counts only if it is an address, without a zone that anybody can vary. */
export function addressOf(req: Request): string | undefined {
  const { ip = "" } = req;
  return isIP(ip) && !ip.includes("%") ? ip : req.socket.remoteAddress;
}

export const requesterOf = (req: Request): Requester => ({
  ip: addressOf(req) ?? null,
  userAgent: req.get("User-Agent") ?? null,
});
