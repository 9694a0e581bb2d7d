import type { RequestHandler } from "express";
import type { Redis } from "../redis";

/** Alive: the process answers. Redis plays no part, or its outage would have every instance restarted. */
export const healthz: RequestHandler = (_req, res) => {
  res.json({ status: "ok" });
};

/** Ready: this instance can tell who is logged out. */
export const createReadyzHandler =
  (redis: Redis): RequestHandler =>
  async (_req, res) => {
    await redis.ask((client) => client.ping());
    res.json({ status: "ready" });
  };
