import type { RequestHandler } from "express";
import type { Auth } from "../auth";
import { callerOf } from "./guard";

export const createMeHandler =
  (auth: Auth): RequestHandler =>
  async (req, res) => {
    const { id, email, roles, createdAt } = await auth.account(callerOf(req));
    res.json({ id, email, roles, created_at: createdAt });
  };
