import type { Request } from "express";
import { attempt } from "../../errors";
import type { ReadCredentials } from "./credentials";
import { step, type Step } from "./step";

/**
 * For routes that check their credentials themselves, and for what isn't to be asked for from elsewhere although it
 * changes nothing: refuses a request from another site's page that would act by cookie. It must run before the limits,
 * or such a page could use up its visitor's attempts.
 */
export function createOwnPagesOnly(
  credentialsOf: ReadCredentials,
  assertNotCrossSite: (req: Request) => void,
): Step {
  return step(["cross_site_request"], function ownPagesOnly(req, _res, next) {
    // A credential that can't be read does no harm here; the route refuses it and says why.
    const { access, refresh } = credentialsOf(req);
    const credentials = [attempt(access), attempt(refresh)];
    if (credentials.some((credential) => credential?.transport === "cookie")) assertNotCrossSite(req);
    next();
  });
}
