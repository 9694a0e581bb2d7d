import { randomUUID } from "node:crypto";
import type { RequestHandler } from "express";

const ID = /^[\w.-]{1,64}$/;

/** Every answer names its request: with the caller's own id, if that is fit to stand in a log line. */
export const requestId: RequestHandler = (req, res, next) => {
  const given = req.get("X-Request-Id") ?? "";
  res.set("X-Request-Id", ID.test(given) ? given : randomUUID());
  next();
};
