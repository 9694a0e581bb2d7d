import type { Request, RequestHandler } from "express";
import type { Denylist } from "../denylist/denylist";
import { CurfewError } from "../errors";
import type { AccessToken, AccessTokens } from "../tokens/access-tokens";
import { readAccessToken } from "./credentials";

declare module "express-serve-static-core" {
  // eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- only an interface can be added to
  interface Request {
    /** The caller's verified claims, behind requireToken. */
    auth?: AccessToken;
  }
}

/** Lets a request through only with an access token that is genuine, alive and not on the denylist. */
export function requireToken(accessTokens: AccessTokens, denylist: Denylist): RequestHandler {
  return async function requireTokenGuard(req, _res, next) {
    const token = readAccessToken(req);
    if (token === undefined) throw new CurfewError("token_missing");
    const claims = accessTokens.verify(token);
    await denylist.assertNotRevoked(claims);
    req.auth = claims;
    next();
  };
}

export function callerOf(req: Request): AccessToken {
  if (!req.auth) throw new TypeError("callerOf() is for routes behind requireToken()");
  return req.auth;
}
