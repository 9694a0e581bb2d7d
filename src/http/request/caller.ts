import { isIP } from "node:net";
import type { Request } from "express";
import type { Token } from "../../auth/tokens";
import type { Requester } from "../../denylist/entry";
import { CurfewError } from "../../errors";
import type { AccessToken } from "../../tokens/access-tokens";
import "../middleware";
import type { Transport } from "./credentials";

/** What is found out about a request on its way, for what comes later. Apps see `req.auth`, and nothing of this. */
type Known = {
  /** Its path, as the log has it. */
  route?: string;
  /** How the token in `req.auth` came. */
  transport?: Transport;
  /** The client in whose name it comes, behind requireClient. */
  client?: string;
  /** Whose password it tries, where its body doesn't say. */
  triedEmail?: string;
};

const requests = new WeakMap<Request, Known>();

export function knownOf(req: Request): Known {
  const known = requests.get(req) ?? {};
  requests.set(req, known);
  return known;
}

export const callerOf = (req: Request): Token => behind("requireToken()", req.auth);

/** For what only sessions of ours have. */
export function ownCallerOf(req: Request): AccessToken {
  const caller = callerOf(req);
  if (caller.kind === "foreign") throw new CurfewError("own_session_required");
  return caller;
}

/** How the caller's token came, and so how the next one goes back. */
export const transportOf = (req: Request): Transport => behind("requireToken()", knownOf(req).transport);

/** The client that asks. */
export const clientOf = (req: Request): string => behind("requireClient()", knownOf(req).client);

function behind<T>(guard: string, value: T | undefined): T {
  if (value === undefined) throw new TypeError(`This route must stand behind ${guard}.`);
  return value;
}

/** A proxy's word for where a request comes from counts only if it is an address, without a zone that anybody can vary. */
export function addressOf(req: Request): string | undefined {
  const { ip = "" } = req;
  return isIP(ip) && !ip.includes("%") ? ip : req.socket.remoteAddress;
}

export const requesterOf = (req: Request): Requester => ({
  ip: addressOf(req) ?? null,
  userAgent: req.get("User-Agent") ?? null,
});
