import { STATUS_CODES } from "node:http";
import type { ErrorRequestHandler, RequestHandler } from "express";
import type { Logger } from "pino";
import type { Alarms } from "../../denylist/alarms";
import { CurfewError, ERRORS, loggable, type ErrorCode } from "../../errors";
import { logEvent, type LogEvent } from "../../log/events";
import { useOf, type Tell } from "../request/request-log";

/** RFC 6750 §3.1: `error` belongs in the challenge only when a token was presented. */
const CHALLENGE = 'Bearer realm="curfew"';
const RETRY_AFTER_SECONDS = "1";

/** The refusals that are logged as events, besides the line of their request. */
const EVENT: Partial<Record<ErrorCode, LogEvent>> = {
  invalid_credentials: "login_failed",
  refresh_token_reused: "refresh_reused",
  cross_site_request: "cross_site_request",
  rate_limited: "rate_limited",
};

export function createErrorHandler(log: Logger, tell: Tell, alarms: Alarms): ErrorRequestHandler {
  return function errorHandler(thrown: unknown, req, res, next) {
    if (res.headersSent) {
      next(thrown);
      return;
    }
    const error = toCurfewError(thrown);
    const { status, blamesToken } = ERRORS[error.code];
    const event = EVENT[error.code];
    if (event && error.raisesEvent) tell(req, event, error.about);
    alarms.raise(error, useOf(req));
    if (status >= 500 && error.cause !== undefined)
      logEvent(log, "failed", { request_id: res.get("X-Request-Id"), code: error.code, ...causeOf(error) });
    // Routes that take other credentials than tokens have set a challenge of their own.
    if (status === 401 && !res.hasHeader("WWW-Authenticate")) {
      res.set("WWW-Authenticate", blamesToken ? `${CHALLENGE}, error="invalid_token"` : CHALLENGE);
    }
    if (status === 503) res.set("Retry-After", RETRY_AFTER_SECONDS);
    res.status(status).json({
      error: STATUS_CODES[status],
      code: error.code,
      message: error.message,
      ...(error.details && { details: error.details }),
      ...error.why,
    });
  };
}

export const notFound: RequestHandler = () => {
  throw new CurfewError("not_found");
};

/** Errors of Express's body parser carry a `type`, those of its router only a status. */
function toCurfewError(thrown: unknown): CurfewError {
  if (thrown instanceof CurfewError) return thrown;
  const { type, status } = (typeof thrown === "object" ? (thrown ?? {}) : {}) as {
    type?: unknown;
    status?: unknown;
  };
  switch (type) {
    case "entity.parse.failed":
      return new CurfewError("invalid_json");
    case "entity.too.large":
      return new CurfewError("body_too_large");
    case "encoding.unsupported":
    case "charset.unsupported":
      return new CurfewError("unsupported_media_type");
    default:
      if (!(typeof status === "number" && status >= 400 && status < 500)) {
        return new CurfewError("internal", { cause: thrown });
      }
      return new CurfewError("invalid_request", { details: [{ path: "", message: "can't be read" }] });
  }
}

/** The message and, for `internal`, the stack; never an error's other members, which may hold a command's arguments. */
function causeOf({ code, cause }: CurfewError) {
  if (!(cause instanceof Error)) return { cause: String(cause) };
  const frames = cause.stack?.slice(cause.stack.indexOf("\n    at "));
  return { cause: loggable(cause), ...(code === "internal" && { stack: frames }) };
}
