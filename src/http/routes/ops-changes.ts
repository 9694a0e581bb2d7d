import type { Request } from "express";
import { z } from "zod";
import type { Auth } from "../../auth/auth";
import { NOTE_MAX } from "../../denylist/revoking";
import type { Actor } from "../../ops/changes";
import { Entry } from "../../ops/entries";
import type { Ops } from "../../ops/ops";
import { Rule } from "../../ops/rules";
import type { Target } from "../../ops/targets";
import { ownCallerOf, requesterOf } from "../request/caller";
import type { Tell } from "../request/request-log";
import { endpoint } from "../router";
import { entryIn } from "./ops";

/** Control characters could forge lines in a terminal or a file that somebody reads it in. */
const Reason = z
  .string()
  .trim()
  .regex(
    new RegExp(`^[^\\p{Cc}\\p{Zl}\\p{Zp}]{1,${NOTE_MAX}}$`, "u"),
    `must be one line of 1 to ${NOTE_MAX} characters`,
  )
  .describe("In your own words; it becomes the entry's `note`");

/** In milliseconds, a time of ours would be later than this. */
const LATEST_SECONDS = 100_000_000_000;

const ExpiresAt = z
  .union(
    [
      z.number().positive().max(LATEST_SECONDS),
      z.iso.datetime({ offset: true }).transform((text) => Math.ceil(Date.parse(text) / 1000)),
    ],
    { error: "must be RFC 3339, or Unix seconds" },
  )
  .refine((seconds) => seconds * 1000 > Date.now(), "must not have passed")
  .describe("The token's `exp`");

const Name = z.string().min(1);

const Revocation = z
  .strictObject({
    token: Name.nullish(),
    jti: Name.nullish().describe("With `expires_at`"),
    expires_at: ExpiresAt.nullish(),
    session: Name.nullish().describe("A session's id; a foreign one behind its issuer's name"),
    user: Name.nullish().describe("A subject, or the e-mail address of an account"),
    reason: Reason,
  })
  .meta({ id: "Revocation" })
  .transform(({ reason, ...named }, context): { target: Target; reason: string } => {
    const target = targetIn(named);
    if (target) return { target, reason };
    context.addIssue("must name exactly one of token, jti with expires_at, session and user");
    return z.NEVER;
  });

type Named = Partial<Record<"token" | "jti" | "session" | "user", string | null | undefined>> & {
  expires_at?: number | null | undefined;
};

/** Undefined unless it is exactly one. */
function targetIn(named: Named): Target | undefined {
  const { token, jti, session, user } = named;
  const exp = named.expires_at ?? undefined;
  if ([token, jti, session, user].filter((name) => typeof name === "string").length !== 1) return undefined;
  if (typeof jti === "string") return exp === undefined ? undefined : { jti, exp };
  if (exp !== undefined) return undefined;
  if (typeof token === "string") return { token };
  return typeof session === "string" ? { session } : { user: user ?? "" };
}

const Lift = z.strictObject({ reason: Reason.nullish() }).meta({ id: "Lift" }).optional();
const LiftQuery = z.strictObject({ reason: Reason.optional().describe("Where a body can't say it") });

const Revoked = z.object({ revoked: z.literal(true) }).meta({ id: "Revoked" });
const Lifted = z
  .object({
    lifted: Entry,
    still_refused_by: z.array(Rule).describe("What refuses the same token all the same"),
  })
  .meta({ id: "Lifted" });

export type OpsChangesParts = { ops: Ops; auth: Auth; tell: Tell };

/** Revokes and lifts, in the caller's name. */
export function createOpsChanges({ ops, auth, tell }: OpsChangesParts) {
  async function actorOf(req: Request, note: string | undefined): Promise<Actor> {
    const { email } = await auth.account(ownCallerOf(req));
    return { by: `ops:${email}`, requester: requesterOf(req), ...(note !== undefined && { note }) };
  }

  const told = ({ by, note }: Actor, kind: string, id: string) => ({
    by,
    kind,
    id,
    ...(note !== undefined && { note }),
  });

  const revoke = endpoint({
    name: "revoke",
    summary: "Revoke a token, a session or all that a user has",
    body: Revocation,
    query: z.strictObject({}),
    answers: { 201: { description: "It is refused from now on", schema: Revoked } },
    errors: ["not_found"],
    async handle(req, res, { target, reason }) {
      const actor = await actorOf(req, reason);
      const { kind, id } = await ops.revoke(target, actor);
      tell(req, "revoked_by_ops", told(actor, kind, id));
      res.status(201).json({ revoked: true } satisfies z.infer<typeof Revoked>);
    },
  });

  const lift = endpoint({
    name: "lift",
    summary: "Lift a revocation: delete its entry",
    body: Lift,
    query: LiftQuery,
    answers: {
      200: {
        description: "The entry is gone. An ended session stays over; its tokens are accepted again",
        schema: Lifted,
      },
    },
    errors: ["not_found"],
    async handle(req, res, body, query) {
      const { kind, id } = entryIn(req);
      const actor = await actorOf(req, body?.reason ?? query.reason);
      const { lifted, stillRefusedBy } = await ops.lift(kind, id, actor);
      tell(req, "lifted", told(actor, kind, lifted.id));
      res.json({ lifted, still_refused_by: stillRefusedBy } satisfies z.infer<typeof Lifted>);
    },
  });

  return { revoke, lift };
}
