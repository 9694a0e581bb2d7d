import { z } from "zod";
import type { Auth } from "../../auth/auth";

export const Session = z
  .object({
    id: z.string(),
    ...{ created_at: z.iso.datetime(), last_used_at: z.iso.datetime(), expires_at: z.iso.datetime() },
    ...{ ip: z.string().nullable(), user_agent: z.string().nullable() },
  })
  .meta({ id: "Session" });

type Known = Awaited<ReturnType<Auth["sessions"]>>[number];

/** A session, as answers spell it. */
export const answerOf = (session: Known): z.infer<typeof Session> => ({
  id: session.id,
  created_at: session.createdAt,
  last_used_at: session.lastUsedAt,
  expires_at: session.expiresAt,
  ip: session.ip,
  user_agent: session.userAgent,
});
