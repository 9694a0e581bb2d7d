import { randomUUID } from "node:crypto";
import type { Request, RequestHandler } from "express";
import type { Logger } from "pino";
import { addressOf } from "./credentials";

/** What ops want to be told of, beside the line that every request gets. */
export type SecurityEvent =
  | "registered"
  | "login"
  | "login_failed"
  | "logout"
  | "session_ended"
  | "password_changed"
  | "refresh_reused"
  | "revoked_token_used"
  | "cross_site_request"
  | "rate_limited";

export type Tell = (req: Request, event: SecurityEvent, about?: Record<string, string>) => void;

const EXPECTED = new Set<SecurityEvent>([
  "registered",
  "login",
  "logout",
  "session_ended",
  "password_changed",
]);
const REQUEST_ID = /^[\w.-]{1,64}$/;
const PATH_MAX = 256;

/**
 * Gives every answer the id of its request, the caller's own if that is fit to stand in a log line, and every request
 * one line. The query is left out: what people put there by mistake are tokens.
 */
export function createRequestLog(log: Logger): RequestHandler {
  return function requestLog(req, res, next) {
    const given = req.get("X-Request-Id") ?? "";
    const requestId = REQUEST_ID.test(given) ? given : randomUUID();
    res.set("X-Request-Id", requestId);
    const startedAt = performance.now();
    res.once("close", () => {
      log.info(
        {
          request_id: requestId,
          method: req.method,
          path: pathOf(req),
          status: res.writableFinished ? res.statusCode : null,
          ms: Math.round(performance.now() - startedAt),
          ip: addressOf(req),
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
    log[EXPECTED.has(event) ? "info" : "warn"](
      { event, request_id: req.res?.get("X-Request-Id"), ip: addressOf(req), path: pathOf(req), ...about },
      event,
    );
  };

const pathOf = (req: Request) => req.originalUrl.split("?", 1)[0]?.slice(0, PATH_MAX);
