import type { RequestHandler } from "express";
import { withBudget } from "../../redis/budget";

/** Gives each request so much time for all its calls to Redis together. */
export const createBudget = (timeoutMs: number): RequestHandler =>
  function requestBudget(_req, _res, next) {
    withBudget(timeoutMs, next);
  };
