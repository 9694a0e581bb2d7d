import { z } from "zod";
import type { Auth } from "../../auth/auth";
import { subjectOf } from "../../denylist/entry";
import { callerOf } from "../request/caller";
import { endpoint } from "../router";
import { User } from "../answer/tokens-answer";

const Account = User.extend({ created_at: z.iso.datetime() }).meta({ id: "Account" });
const ForeignCaller = z
  .object({
    id: z.string(),
    issuer: z.string(),
    claims: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "ForeignCaller" });

export const createMeEndpoint = (auth: Auth) =>
  endpoint({
    name: "me",
    summary: "Tell whose token this is",
    answers: {
      200: {
        description: "The caller's account, or the claims of a foreign token",
        schema: z.union([Account, ForeignCaller]),
      },
    },
    async handle(req, res) {
      const caller = callerOf(req);
      if (caller.kind === "foreign") {
        const { iss, claims } = caller;
        res.json({ id: subjectOf(caller), issuer: iss, claims } satisfies z.infer<typeof ForeignCaller>);
        return;
      }
      const { id, email, roles, createdAt } = await auth.account(caller);
      res.json({ id, email, roles, created_at: createdAt } satisfies z.infer<typeof Account>);
    },
  });
