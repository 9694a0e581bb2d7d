import type { Request } from "express";
import type { Denylist } from "../denylist/denylist";
import { CurfewError } from "../errors";
import { claimsOf, isToken, rolesOf, type Token, type Tokens } from "../auth/tokens";
import type { Meter } from "../metrics/meter";
import { callerOf } from "./request/caller";
import { tokenMissing, type Credential } from "./request/credentials";
import { isStateChanging } from "./request/cross-site";
import { step, type Step } from "./request/step";

export type GuardParts = {
  tokens: Tokens;
  denylist: Denylist;
  readAccess: (req: Request) => Credential | undefined;
  assertNotCrossSite: (req: Request) => void;
  meter: Meter | undefined;
};

/**
 * Reads the token, verifies it and asks the denylist; throws or rejects unless it is genuine, alive and not revoked.
 * Returns at once if nobody has to be asked.
 */
export type Check = (req: Request) => Token | Promise<Token>;

/** `methodOf` returns the method of the request to judge, which isn't the request itself if a gateway asks. */
export function createCheck(parts: GuardParts, methodOf = (req: Request) => req.method): Check {
  const { tokens, denylist, readAccess, assertNotCrossSite, meter } = parts;

  function readCredential(req: Request): Credential {
    const credential = readAccess(req);
    if (!credential) throw tokenMissing(req);
    if (credential.transport === "cookie" && isStateChanging(methodOf(req))) assertNotCrossSite(req);
    return credential;
  }

  async function ask(genuine: Token | Promise<Token>): Promise<Token> {
    const claims = await genuine;
    await denylist.assertNotRevoked(claims);
    return claims;
  }

  function check(req: Request): Token | Promise<Token> {
    const { token } = readCredential(req);
    const known = tokens.recall(token);
    return known && denylist.isKnownClean(known) ? known : ask(known ?? tokens.verify(token));
  }

  return meter?.countVerdicts(check) ?? check;
}

/** Lets a request through only with an access token that passes the check. */
export function requireToken(check: Check): Step {
  const errors = ["token_missing", "token_invalid", "token_expired", "token_revoked"] as const;
  return step(
    [...errors, "invalid_request", "cross_site_request", "denylist_unavailable", "issuer_unavailable"],
    function guard(req, _res, next) {
      function admit(token: Token): void {
        req.auth = claimsOf(token);
        next();
      }
      const checked = check(req);
      if (!isToken(checked)) return checked.then(admit);
      admit(checked);
      return undefined;
    },
    "token",
  );
}

/** Throws unless the token has one of the roles. */
export function assertHasRole(token: Token, roles: readonly string[]): void {
  if (!rolesOf(token).some((role) => roles.includes(role))) throw new CurfewError("insufficient_role");
}

/** Behind requireToken, lets a request through only with a token that has the role. */
export const requireRole = (role: string): Step =>
  step(["insufficient_role"], function roleGuard(req, _res, next) {
    assertHasRole(callerOf(req), [role]);
    next();
  });
