import type { RequestHandler } from "express";
import type { Meter } from "../../metrics/meter";
import { knownOf } from "./caller";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const OTHER = "other";

/** Counts each request. Whatever a client sends, there are only so many methods, routes and statuses. */
export const createRequestCount = (meter: Meter): RequestHandler =>
  function requestCount(req, res, next) {
    res.once("close", () => {
      const method = METHODS.has(req.method) ? req.method : OTHER;
      // Express takes any case for a route's own.
      const route = knownOf(req).route?.toLowerCase() ?? OTHER;
      meter.answered(method, route, res.writableFinished ? String(res.statusCode) : "aborted");
    });
    next();
  };
