import type { Request } from "express";
import { CurfewError } from "../../errors";

type Headers = Pick<Request, "get">;

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

export const isStateChanging = (method: string) => !SAFE_METHODS.has(method.toUpperCase());

/**
 * Refuses requests from another site's page. Browsers say where a request comes from, and a page can't change that. A
 * client that sends neither header isn't a browser, and sends only cookies that it put there itself.
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
