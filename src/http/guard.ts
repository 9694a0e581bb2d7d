import type { Request } from "express";
import type { Denylist } from "../denylist/denylist";
import { CurfewError } from "../errors";
import type { AccessToken } from "../tokens/access-tokens";
import type { Token, Tokens } from "../auth/tokens";
import type { Cookies } from "./request/cookies";
import { readAccessToken, type Credential, type Transport } from "./request/credentials";
import { isStateChanging } from "./request/cross-site";
import "./middleware";
import { step, type Step } from "./request/step";

/** How the caller's token came, behind requireToken. */
const transports = new WeakMap<Request, Transport>();

export type GuardParts = {
  tokens: Tokens;
  denylist: Denylist;
  cookies: Cookies;
  assertNotCrossSite: (req: Request) => void;
};

/** Reads the token, verifies it and asks the denylist; throws unless it is genuine, alive and not revoked. */
export type Check = (req: Request) => Promise<Token>;

/** `methodOf` tells the method of the request that is asked about, where that isn't the one that asks. */
export function createCheck(parts: GuardParts, methodOf = (req: Request) => req.method): Check {
  const { tokens, denylist, cookies, assertNotCrossSite } = parts;

  function readCredential(req: Request): Credential {
    const credential = readAccessToken(req, cookies);
    if (!credential) throw new CurfewError("token_missing");
    if (credential.transport === "cookie" && isStateChanging(methodOf(req))) assertNotCrossSite(req);
    return credential;
  }

  return async function check(req) {
    const { token, transport } = readCredential(req);
    const claims = await tokens.verify(token);
    await denylist.assertNotRevoked(claims);
    transports.set(req, transport);
    return claims;
  };
}

/** Lets a request through only with an access token that passes the check. */
export function requireToken(check: Check): Step {
  const errors = ["token_missing", "token_invalid", "token_expired", "token_revoked"] as const;
  return step(
    [...errors, "invalid_request", "cross_site_request", "denylist_unavailable"],
    async function guard(req, _res, next) {
      req.auth = await check(req);
      next();
    },
  );
}

export const callerOf = (req: Request): Token => behindGuard(req.auth);

/** For what only sessions of ours have. */
export function ownCallerOf(req: Request): AccessToken {
  const caller = callerOf(req);
  if ("issuer" in caller) throw new CurfewError("own_session_required");
  return caller;
}

/** How the caller's token came, and so how the next one goes back. */
export const transportOf = (req: Request): Transport => behindGuard(transports.get(req));

function behindGuard<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("This route must stand behind requireToken().");
  return value;
}
