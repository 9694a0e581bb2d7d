import type { RequestHandler } from "express";

export const neverCached: RequestHandler = (_req, res, next) => {
  res.set("Cache-Control", "no-store");
  res.vary("Authorization, Cookie");
  next();
};
