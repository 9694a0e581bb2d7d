import { z } from "zod";
import type { Denylist } from "../denylist/denylist";
import { endpoint } from "./routes";

/** Redis plays no part in being alive, or its outage would have every instance restarted. */
export const healthz = endpoint({
  summary: "Alive: the process answers",
  answers: { 200: { description: "Alive", schema: z.object({ status: z.literal("ok") }) } },
  handle(_req, res) {
    res.json({ status: "ok" });
  },
});

export const createReadyz = (denylist: Denylist) =>
  endpoint({
    summary: "Ready: this instance can tell who is logged out",
    answers: { 200: { description: "Ready", schema: z.object({ status: z.literal("ready") }) } },
    errors: ["denylist_unavailable"],
    async handle(_req, res) {
      await denylist.assertAnswering();
      res.json({ status: "ready" });
    },
  });
