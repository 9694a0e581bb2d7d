import type { Request } from "express";
import { knownOf } from "./caller";

/** Where the refresh cookie lies, or may lie from earlier. */
export type RefreshPath = {
  /** Takes in where the routes that a request has reached are mounted. */
  readonly reached: (req: Request) => void;
  /** Where this request's answer puts the cookie. */
  of(req: Request): string;
  /** Other places where it may lie and from where it is sent with requests like this one. */
  above(req: Request): string[];
  /** Where it lay by default in earlier versions, wherever the routes were mounted. */
  readonly former: readonly string[];
};

const ROOT = "/";
const PATH = /^\/[\w./~%-]*$/;

/** A path that is set never changes, so nothing lies elsewhere. */
const fixedAt = (path: string): RefreshPath => ({
  reached: () => undefined,
  of: () => path,
  above: () => [],
  former: [],
});

/**
 * Express tells where routes are mounted only with a request that reaches them. Other requests, such as a login of the
 * app's own, get the path of the one mount that is known. Until there is one, or if there are several, they get `/`,
 * from where the cookie is sent to all of them.
 */
function whereMounted(): RefreshPath {
  let known: string | undefined;

  return {
    reached(req) {
      const mount = PATH.test(req.baseUrl) ? req.baseUrl : ROOT;
      knownOf(req).mount = mount;
      // Express takes /AUTH for /auth, browsers don't, and anybody can ask for it. Nobody else's cookie goes there.
      const shared = mount === mount.toLowerCase() ? mount : ROOT;
      known = known === undefined || known === shared ? shared : ROOT;
    },
    of: (req) => knownOf(req).mount ?? known ?? ROOT,
    above(req) {
      const mount = knownOf(req).mount ?? ROOT;
      const segments = mount.split("/").slice(1, -1);
      const parents = segments.map((_segment, at) => `/${segments.slice(0, at + 1).join("/")}`);
      return mount === ROOT ? [] : [ROOT, ...parents];
    },
    former: ["/api"],
  };
}

export const createRefreshPath = (configured: string | undefined): RefreshPath =>
  configured === undefined ? whereMounted() : fixedAt(configured);
