import type { Request } from "express";
import { z } from "zod";
import type { Kind } from "../../denylist/entry";
import { Entry, KIND_OF, Uses } from "../../ops/entries";
import { writePositions } from "../../ops/events";
import type { EntriesPlace, Filter, Page } from "../../ops/listing";
import type { Ops } from "../../ops/ops";
import type { People } from "../../ops/people";
import { Status } from "../../ops/status";
import { Explanation } from "../../ops/why";
import { answerOf, Session } from "../answer/session-answer";
import { createCursor, wrongCursor } from "../request/cursor";
import { readParameters } from "../request/parameters";
import { endpoint } from "../router";

const KindName = z
  .enum(["token", "session", "user", "jti", "sid", "sub"])
  .transform((name): Kind => KIND_OF[name])
  .describe("`jti`, `sid` and `sub` are other names of `token`, `session` and `user`");

const EntryPath = z.object({ kind: KindName, id: z.string() });

/** The entry that a path names. */
export const entryIn = (req: Request) => readParameters(EntryPath, req.params);

const LIMIT = { preset: 50, max: 200 };
const LIMIT_MESSAGE = `must be a number from 1 to ${LIMIT.max}`;

const ListQuery = z.strictObject({
  kind: KindName.optional(),
  user: z.string().optional().describe("A subject, or the e-mail address of an account"),
  reason: z.string().optional(),
  q: z.string().optional().describe("A text that is somewhere in the entry, as it is spelled; in any case"),
  since: z.iso
    .datetime({ offset: true, error: "must be RFC 3339" })
    .transform((text) => new Date(text))
    .optional()
    .describe("Revoked then or later"),
  order: z
    .enum(["any", "newest"])
    .default("any")
    .describe(
      "`any`: every entry, newest first within a page. `newest`: what the events tell of, newest first",
    ),
  cursor: z.string().optional().describe("The `next_cursor` of the page before"),
  limit: z
    .string()
    .regex(/^\d{1,3}$/, LIMIT_MESSAGE)
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= LIMIT.max, LIMIT_MESSAGE)
    .default(LIMIT.preset),
});

const Listed = z
  .object({
    items: z.array(Entry),
    next_cursor: z
      .string()
      .nullable()
      .describe("Null when there are no more; a page may be short or empty before"),
    looked: z.number().describe("How much has been looked at so far"),
    of: z.number().describe("… of about how much"),
  })
  .meta({ id: "Revocations" });

const Shown = Entry.extend({ uses: Uses.nullable().describe("How often it refused a token") }).meta({
  id: "ShownEntry",
});

const WhyBody = z
  .strictObject({ token: z.string().nullish(), jti: z.string().min(1).nullish() })
  .refine(({ token, jti }) => ((token ?? null) !== null) !== ((jti ?? null) !== null), {
    error: "must name a token or a jti, and not both",
  })
  .meta({ id: "WhyQuestion" });

const Sessions = z.object({ sessions: z.array(Session) }).meta({ id: "SessionsOfUser" });

/** Redis counts its own in 64 bits. */
const CURSOR_MAX = 2n ** 64n - 1n;

const AnyCursor = createCursor<EntriesPlace>(
  z.strictObject({
    node: z.int().nonnegative(),
    cursor: z.string().refine((cursor) => /^\d{1,20}$/.test(cursor) && BigInt(cursor) <= CURSOR_MAX),
    after: z.string(),
    looked: z.number().nonnegative(),
  }),
);
const NewestCursor = createCursor(z.strictObject({ events: z.string() }));

/** Finds and explains. None of these changes anything. */
export function createOpsEndpoints(ops: Ops, people: Pick<People, "sessions">) {
  const list = endpoint({
    name: "listRevocations",
    summary: "List what is denied, page by page",
    query: ListQuery,
    answers: { 200: { description: "A page of entries", schema: Listed } },
    async handle(_req, res, _body, { order, cursor, limit, user, q, ...rest }) {
      const subject = user === undefined ? undefined : await ops.userIdOf(user);
      const filter: Filter = { ...rest, user: subject, text: q };
      if (order === "any") {
        const page = await ops.listing.all(
          filter,
          limit,
          cursor === undefined ? cursor : AnyCursor.read(cursor),
        );
        res.json(toListed(page, AnyCursor.write));
        return;
      }
      const page = await ops.listing.newest(
        filter,
        limit,
        cursor === undefined ? cursor : positionsIn(cursor),
      );
      res.json(toListed(page, (next) => NewestCursor.write({ events: writePositions(next) })));
    },
  });

  function positionsIn(cursor: string) {
    const positions = ops.events.read(NewestCursor.read(cursor).events);
    if (!positions) throw wrongCursor();
    return positions;
  }

  const show = endpoint({
    name: "showRevocation",
    summary:
      "Show one entry: what is denied, by whom, when, why, until when, and how often it was used since",
    query: z.strictObject({}),
    answers: { 200: { description: "The entry", schema: Shown } },
    errors: ["not_found"],
    async handle(req, res) {
      const { kind, id } = entryIn(req);
      const { entry, uses = null } = await ops.show(kind, id);
      res.json({ ...entry, uses } satisfies z.infer<typeof Shown>);
    },
  });

  const why = endpoint({
    name: "why",
    summary: "Explain why a token is accepted or refused",
    body: WhyBody,
    query: z.strictObject({}),
    answers: { 200: { description: "The verdict, and every rule that led to it", schema: Explanation } },
    async handle(_req, res, { token, jti }) {
      const explanation = await (typeof jti === "string" ? ops.why.jti(jti) : ops.why.token(token ?? ""));
      res.json(explanation);
    },
  });

  const sessions = endpoint({
    name: "listSessionsOfUser",
    summary: "List a user's sessions, oldest first",
    query: z.strictObject({}),
    answers: {
      200: { description: "The live sessions of the user with this id or e-mail address", schema: Sessions },
    },
    errors: ["not_found"],
    async handle(req, res) {
      const live = await people.sessions(String(req.params["id"]));
      res.json({ sessions: live.map(answerOf) } satisfies z.infer<typeof Sessions>);
    },
  });

  const status = endpoint({
    name: "status",
    summary: "Tell how Redis is, and since when the denylist remembers",
    query: z.strictObject({}),
    answers: { 200: { description: "The status", schema: Status } },
    async handle(_req, res) {
      res.json(await ops.status());
    },
  });

  return { list, show, why, sessions, status };
}

const toListed = <Where>({ items, next, progress }: Page<Where>, write: (next: Where) => string) =>
  ({ items, next_cursor: next === undefined ? null : write(next), ...progress }) satisfies z.infer<
    typeof Listed
  >;
