import { z } from "zod";
import type { Auth } from "../auth";
import { callerOf } from "./guard";
import { endpoint } from "./routes";
import { User } from "./tokens-answer";

const Me = User.extend({ created_at: z.iso.datetime() });

export const createMeEndpoint = (auth: Auth) =>
  endpoint({
    summary: "Tell whose token this is",
    answers: { 200: { description: "The caller's account", schema: Me } },
    async handle(req, res) {
      const { id, email, roles, createdAt } = await auth.account(callerOf(req));
      res.json({ id, email, roles, created_at: createdAt } satisfies z.infer<typeof Me>);
    },
  });
