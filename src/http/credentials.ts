import type { Request } from "express";
import type { Origin } from "../denylist/entry";
import { CurfewError } from "../errors";

const BEARER = /^bearer(?: +|$)/i;
const B64TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * The access token as the request carries it, not yet verified. Another scheme is no credential of ours. A token in
 * the URL or the body is never looked at (RFC 6750 §5.3).
 */
export function readAccessToken(req: Request): string | undefined {
  // Node keeps the first of several and drops the rest without a word.
  const [header, ...repeated] = req.headersDistinct["authorization"] ?? [];
  if (repeated.length > 0) {
    throw new CurfewError("invalid_request", {
      details: [{ path: "Authorization", message: "must not be sent twice" }],
    });
  }
  if (!header || !BEARER.test(header)) return undefined;
  const token = header.replace(BEARER, "");
  if (token === "") return undefined;
  if (!B64TOKEN.test(token)) throw new CurfewError("token_invalid");
  return token;
}

export const originOf = (req: Request): Origin => ({
  ip: req.ip ?? null,
  userAgent: req.get("User-Agent") ?? null,
});
