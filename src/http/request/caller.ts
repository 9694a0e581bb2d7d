import { isIP } from "node:net";
import type { Request } from "express";
import type { Token } from "../../auth/tokens";
import type { Requester } from "../../denylist/entry";
import { CurfewError, type ErrorCode } from "../../errors";
import type { AccessToken } from "../../tokens/access-tokens";
import "../middleware";

/** What earlier steps found out about a request, for later ones. Apps see only `req.auth`. */
type Known = {
  /** The route's path, for the log. */
  route?: string;
  /** The code that the request was refused with, for the log. */
  code?: ErrorCode;
  /** The client that sent the request, behind requireClient. */
  client?: string;
  /** The account whose password is tried, if the body doesn't name it. */
  triedEmail?: string;
  /** Where the routes that it has reached are mounted in an app. */
  mount?: string;
};

/**
 * It stands on the request itself: a WeakMap with a key for each request costs the garbage collector a multiple. An app
 * may copy a request, or make one from another; what is known of the first isn't known of the second.
 */
const KNOWN = Symbol("what Curfew knows of a request");
type Marked = { [KNOWN]?: { of: Request; known: Known } };

export function knownOf(req: Request): Known {
  const marked = req as Request & Marked;
  if (marked[KNOWN]?.of !== req) marked[KNOWN] = { of: req, known: {} };
  return marked[KNOWN].known;
}

export const callerOf = (req: Request): Token => behind("requireToken()", req.auth as Token | undefined);

/** Throws `own_session_required` for a foreign token. */
export function ownCallerOf(req: Request): AccessToken {
  const caller = callerOf(req);
  if (caller.kind === "foreign") throw new CurfewError("own_session_required");
  return caller;
}

/** The id of the client that sent the request. */
export const clientOf = (req: Request): string => behind("requireClient()", knownOf(req).client);

function behind<T>(guard: string, value: T | undefined): T {
  if (value === undefined) throw new TypeError(`This route must stand behind ${guard}.`);
  return value;
}

/** A proxy's `X-Forwarded-For` counts only if it is an address without a zone, which the client could vary at will. */
export function addressOf(req: Request): string | undefined {
  const { ip = "" } = req;
  return isIP(ip) && !ip.includes("%") ? ip : req.socket.remoteAddress;
}

export const requesterOf = (req: Request): Requester => ({
  ip: addressOf(req) ?? null,
  userAgent: req.get("User-Agent") ?? null,
});
