import { randomUUID } from "node:crypto";
import type { Request, RequestHandler } from "express";
import type { Logger } from "pino";
import type { Use } from "../denylist/alarms";
import { addressOf, requesterOf } from "./credentials";

/** What ops want to be told of, beside the line that every request gets: what is expected, and what isn't. */
const EVENTS = {
  registered: "info",
  login: "info",
  login_failed: "warn",
  logout: "info",
  session_ended: "info",
  password_changed: "info",
  revoked_by_client: "info",
  client_refused: "warn",
  refresh_reused: "warn",
  cross_site_request: "warn",
  rate_limited: "warn",
} as const;

export type SecurityEvent = keyof typeof EVENTS;

export type Tell = (req: Request, event: SecurityEvent, about?: Record<string, string>) => void;

const REQUEST_ID = /^[\w.-]{1,64}$/;
const PATH_MAX = 256;

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
    const [ip, path, startedAt] = [addressOf(req), pathOf(req), performance.now()];
    const requestId = res.get("X-Request-Id");
    res.once("close", () => {
      log.info(
        {
          request_id: requestId,
          method: req.method,
          path,
          status: res.writableFinished ? res.statusCode : null,
          ms: Math.round(performance.now() - startedAt),
          ip,
        },
        "request",
      );
    });
    next();
  };
}

export const createTell =
  (log: Logger): Tell =>
  (req, event, about = {}) => {
    log[EVENTS[event]]({ event, ...originOf(req), ...about }, event);
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

/** Nothing that could be a token or a password: no query, no user before a host, no long segment. */
const pathOf = (req: Request) =>
  req.originalUrl
    .replace(/^https?:\/\/[^/]*/i, "")
    .replace(/[?#].*/s, "")
    .replace(/[^/]{65,}/g, "…")
    .slice(0, PATH_MAX);
