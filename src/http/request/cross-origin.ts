import cors from "cors";
import type { Request, RequestHandler } from "express";

const OPTIONS = {
  credentials: true,
  methods: ["GET", "POST", "DELETE"],
  exposedHeaders: [
    "WWW-Authenticate",
    "Retry-After",
    "X-Request-Id",
    "RateLimit",
    "RateLimit-Policy",
    "Allow",
  ],
  maxAge: 7200,
};

/**
 * Lets pages of these origins read the answers. Only a real preflight is answered here: any other OPTIONS goes on to
 * its route, which may have a guard or not support the method.
 */
export function createCrossOriginSharing(origins: readonly string[]): RequestHandler {
  const answer = cors({ ...OPTIONS, origin: [...origins] });
  const mark = cors({ ...OPTIONS, origin: [...origins], preflightContinue: true });
  return function crossOriginSharing(req, res, next) {
    (isPreflight(req) ? answer : mark)(req, res, next);
  };
}

const isPreflight = ({ method, headers }: Request) =>
  method === "OPTIONS" &&
  headers.origin !== undefined &&
  headers["access-control-request-method"] !== undefined;
