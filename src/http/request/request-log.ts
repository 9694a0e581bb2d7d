import { randomUUID } from "node:crypto";
import type { Request, RequestHandler } from "express";
import type { Logger } from "pino";
import type { Use } from "../../denylist/alarms";
import { logEvent, type LogEvent } from "../../log/events";
import { addressOf, knownOf, requesterOf } from "./caller";

export type Tell = (req: Request, event: LogEvent, about?: Record<string, string>) => void;

const REQUEST_ID = /^[\w.-]{1,64}$/;
const UNKNOWN_PATH_MAX = 20;

/** Lets the log name the route that a request matched, without what a client or a gateway appended to its path. */
export const nameRoute =
  (path: string): RequestHandler =>
  (req, _res, next) => {
    const below = req.params["path"] === undefined ? "" : "/…";
    knownOf(req).route = beginningOf(req.baseUrl) + path.replace(WILDCARD, below);
    next();
  };

/** At the end of a route's path, which may then go on. */
export const WILDCARD = /\{\/\*path\}$/;

/**
 * Sets the answer's X-Request-Id, unless the app around has: the caller's own id if it is safe to log, else a new one.
 */
export const giveRequestId: RequestHandler = (req, res, next) => {
  const given = req.get("X-Request-Id") ?? "";
  if (!res.hasHeader("X-Request-Id")) {
    res.set("X-Request-Id", REQUEST_ID.test(given) ? given : randomUUID());
  }
  next();
};

/** Logs one line for every request. It leaves the query out, because people put tokens there by mistake. */
export function createRequestLog(log: Logger): RequestHandler {
  return function requestLog(req, res, next) {
    const [ip, startedAt] = [addressOf(req), performance.now()];
    const requestId = res.get("X-Request-Id");
    res.once("close", () => {
      logEvent(log, "request", {
        request_id: requestId,
        method: req.method,
        path: pathOf(req),
        status: res.writableFinished ? res.statusCode : null,
        code: knownOf(req).code,
        ms: Math.round(performance.now() - startedAt),
        ip,
      });
    });
    next();
  };
}

export const createTell =
  (log: Logger): Tell =>
  (req, event, about = {}) => {
    logEvent(log, event, { ...originOf(req), ...about });
  };

/** Describes a token's use for an alarm. With `client`, a client asked about a token that somebody had sent to it. */
export const useOf = (req: Request, client?: string): Use => ({
  by: client === undefined ? "" : `client:${client}`,
  requester: requesterOf(req),
  about: { ...originOf(req), ...(client !== undefined && { client }) },
});

const originOf = (req: Request) => ({
  request_id: req.res?.get("X-Request-Id"),
  ip: addressOf(req),
  path: pathOf(req),
});

/**
 * Never contains a token or a password: the route, or if there is none, a part of the path that is too short for one.
 */
const pathOf = (req: Request) => knownOf(req).route ?? beginningOf(req.originalUrl);

/**
 * No query, no user before a host, and whole segments of up to 20 characters in all, as a secret may contain slashes.
 */
function beginningOf(url: string): string {
  const path = url.replace(/^https?:\/\/[^/]*/i, "").replace(/[?#].*/s, "");
  if (path.length <= UNKNOWN_PATH_MAX) return path;
  return `${path.slice(0, Math.max(0, path.lastIndexOf("/", UNKNOWN_PATH_MAX)))}/…`;
}
