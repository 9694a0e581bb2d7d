import { randomUUID } from "node:crypto";
import type { Request, RequestHandler } from "express";
import type { Logger } from "pino";
import type { Use } from "../../denylist/alarms";
import { logEvent, type LogEvent } from "../../log/events";
import { addressOf, knownOf, requesterOf } from "./caller";

export type Tell = (req: Request, event: LogEvent, about?: Record<string, string>) => void;

const REQUEST_ID = /^[\w.-]{1,64}$/;
const UNKNOWN_PATH_MAX = 20;

/** Where a request meets a route, the log names the route, and nothing that a client or a gateway put below it. */
export const nameRoute =
  (path: string): RequestHandler =>
  (req, _res, next) => {
    const below = req.params["path"] === undefined ? "" : "/…";
    knownOf(req).route = beginningOf(req.baseUrl) + path.replace(WILDCARD, below);
    next();
  };

const WILDCARD = /\{\/\*path\}$/;

/** Gives an answer the id of its request, unless an app around us has: the caller's own, if it is fit to stand in a log line. */
export const giveRequestId: RequestHandler = (req, res, next) => {
  const given = req.get("X-Request-Id") ?? "";
  if (!res.hasHeader("X-Request-Id")) {
    res.set("X-Request-Id", REQUEST_ID.test(given) ? given : randomUUID());
  }
  next();
};

/** Gives every request one line. The query is left out: what people put there by mistake are tokens. */
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

/** A token's use in a request. A client has it from somebody who used it. */
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

/** Nothing that could be a token or a password: the route; and where there is none, of the path what is too short for one. */
const pathOf = (req: Request) => knownOf(req).route ?? beginningOf(req.originalUrl);

/** No query, no user before a host, and whole segments up to 20 characters in all: a secret may have slashes in it. */
function beginningOf(url: string): string {
  const path = url.replace(/^https?:\/\/[^/]*/i, "").replace(/[?#].*/s, "");
  if (path.length <= UNKNOWN_PATH_MAX) return path;
  return `${path.slice(0, Math.max(0, path.lastIndexOf("/", UNKNOWN_PATH_MAX)))}/…`;
}
