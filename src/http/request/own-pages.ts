import type { Request } from "express";
import { attempt } from "../../errors";
import type { ReadCredentials } from "./credentials";
import { step, type Step } from "./step";

/**
 * For routes that judge their credentials themselves: refuses a request that would act by cookie from somebody else's
 * page. It stands before the limits, or such a page could use up its visitor's tries.
 */
export function createOwnPagesOnly(
  credentialsOf: ReadCredentials,
  assertNotCrossSite: (req: Request) => void,
): Step {
  return step(["cross_site_request"], function ownPagesOnly(req, _res, next) {
    // What can't be read acts in nobody's name; the route says what is wrong with it.
    const { access, refresh } = credentialsOf(req);
    const credentials = [attempt(access), attempt(refresh)];
    if (credentials.some((credential) => credential?.transport === "cookie")) assertNotCrossSite(req);
    next();
  });
}
