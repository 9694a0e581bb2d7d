import type { IncomingMessage, ServerResponse } from "node:http";
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from "express";
import { endpointOf, stepsOf, type Route } from "./router";
import { nameRoute, WILDCARD } from "./request/request-log";

/** Answers a request, or returns false: then it is Express's. */
export type Direct = (req: IncomingMessage, res: ServerResponse) => boolean;

/** A route whose path may go on, below these bases, and all that runs for it: what the app does for each request, too. */
export type DirectRoute = {
  bases: readonly string[];
  route: Route;
  first: readonly RequestHandler[];
  handleError: ErrorRequestHandler;
};

/** The spellings that need no router: Express takes others as well, and answers those. */
const REST = "(?:/[\\w.~-]+)*(?:\\?.*)?";

/**
 * Runs one route in front of Express's router: the same functions, in the same order, on the same kind of request. Only
 * the walk over all other routes is left out, which would cost a tenth more.
 */
export function createDirect(app: Express, { bases, route, first, handleError }: DirectRoute): Direct {
  const [, path] = route;
  const spelled = new RegExp(`^(${bases.join("|")})${path.replace(WILDCARD, "")}(${REST})$`);
  const steps = [...first, nameRoute(path), ...stepsOf(route), endpointOf(route).handler];

  return function direct(incoming, outgoing) {
    const [, base, rest] = spelled.exec(incoming.url ?? "") ?? [];
    if (base === undefined) return false;
    const [req, res] = asExpress(app, incoming, outgoing);
    req.baseUrl = base;
    req.params = rest?.startsWith("/") ? { path: rest } : {};
    run(steps, req, res, handleError);
    return true;
  };
}

/** What Express makes of a request before its router sees it. */
function asExpress(app: Express, incoming: IncomingMessage, outgoing: ServerResponse): [Request, Response] {
  const [req, res] = [incoming as Request, outgoing as Response];
  Object.setPrototypeOf(req, app.request);
  Object.setPrototypeOf(res, app.response);
  Object.assign(req, { res, originalUrl: incoming.url });
  Object.assign(res, { req });
  return [req, res];
}

/** Runs each step once the one before has called `next`; whatever a step throws is refused. */
function run(
  steps: readonly RequestHandler[],
  req: Request,
  res: Response,
  handleError: ErrorRequestHandler,
): void {
  let at = 0;
  const giveUp = () => req.socket.destroy();
  function refuse(error: unknown): void {
    // An error after the answer has begun can only end the connection, as Express does it. Nor may one in the refusal
    // itself end the process.
    try {
      handleError(error, req, res, giveUp);
    } catch {
      giveUp();
    }
  }
  function next(error?: unknown): void {
    const step = steps[at];
    at += 1;
    if (error !== undefined) {
      refuse(error);
      return;
    }
    try {
      const done: unknown = step?.(req, res, next);
      if (done instanceof Promise) done.catch(refuse);
    } catch (thrown) {
      refuse(thrown);
    }
  }
  next();
}
