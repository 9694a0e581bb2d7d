import { z } from "zod";
import type { Auth } from "../../auth/auth";
import { ownCallerOf, requesterOf } from "../request/caller";
import type { Tell } from "../request/request-log";
import { answerOf, Session } from "../answer/session-answer";
import { endpoint } from "../router";

const Sessions = z
  .object({
    sessions: z.array(Session.extend({ current: z.boolean() })),
  })
  .meta({ id: "Sessions" });

export function createSessionEndpoints(auth: Auth, tell: Tell) {
  const listSessions = endpoint({
    name: "listSessions",
    summary: "List the caller's sessions, oldest first",
    answers: { 200: { description: "The live sessions", schema: Sessions } },
    errors: ["own_session_required"],
    async handle(req, res) {
      const caller = ownCallerOf(req);
      const sessions = await auth.sessions(caller);
      res.json({
        sessions: sessions.map((session) => ({
          ...answerOf(session),
          current: session.id === caller.sid,
        })),
      } satisfies z.infer<typeof Sessions>);
    },
  });

  const endSession = endpoint({
    name: "endSession",
    summary: "End one of the caller's sessions",
    answers: { 204: { description: "The session is over" } },
    errors: ["own_session_required", "not_found"],
    async handle(req, res) {
      const [caller, sid] = [ownCallerOf(req), String(req.params["id"])];
      await auth.endSession(caller, sid, requesterOf(req));
      tell(req, "session_ended", { sub: caller.sub, sid });
      res.status(204).end();
    },
  });

  const endOtherSessions = endpoint({
    name: "endOtherSessions",
    summary: "End all of the caller's sessions but the current one",
    answers: { 204: { description: "The other sessions are over" } },
    errors: ["own_session_required"],
    async handle(req, res) {
      const caller = ownCallerOf(req);
      await auth.endOtherSessions(caller, requesterOf(req));
      tell(req, "session_ended", { sub: caller.sub, devices: "others" });
      res.status(204).end();
    },
  });

  return { listSessions, endSession, endOtherSessions };
}
