import type { Request } from "express";
import { CurfewError } from "../../errors";

type Headers = Pick<Request, "get">;

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

export const isStateChanging = (method: string) => !SAFE_METHODS.has(method.toUpperCase());

/**
 * Refuses what comes from somebody else's page. Browsers say where a request comes from and a page can't change that;
 * whatever says nothing is no browser, and carries no cookies but its own.
 */
export function createCrossSiteCheck(trustedOrigins: readonly string[]) {
  return function assertNotCrossSite(req: Headers): void {
    if (!isOurOwn(req)) throw new CurfewError("cross_site_request");
  };

  function isOurOwn(req: Headers): boolean {
    const origin = req.get("Origin");
    const site = req.get("Sec-Fetch-Site");
    if (origin !== undefined && trustedOrigins.includes(origin)) return true;
    if (site !== undefined) return site === "same-origin" || site === "none";
    const host = req.get("Host")?.toLowerCase() ?? "";
    return origin === undefined || (host !== "" && [`http://${host}`, `https://${host}`].includes(origin));
  }
}
