import { setTimeout as sleep } from "node:timers/promises";
import type { Request, Response } from "express";
import { z } from "zod";
import type { Token } from "../../auth/tokens";
import type { Denylist } from "../../denylist/denylist";
import type { Revocations } from "../../denylist/revocations";
import { isEndedBy } from "../../denylist/revoking";
import { CurfewError, type ErrorCode } from "../../errors";
import { Event, type Events, type Positions } from "../../ops/events";
import { outsideBudgets } from "../../redis/budget";
import { callerOf } from "../request/caller";
import { endpoint } from "../router";

const STREAMS_MAX = 20;
const POLL_MS = 250;
const BATCH = 500;
const HEARTBEAT_MS = 15_000;
const RECENT_MAX = 500;
/** Timers can't wait for longer. */
const TIMER_MAX_MS = 2 ** 31 - 1;

const RECENT_MESSAGE = `must be a number from 0 to ${RECENT_MAX}`;

const StreamQuery = z.strictObject({
  last_event_id: z
    .string()
    .optional()
    .describe("Where to go on: an event's `id`. For who can't send it as the header `Last-Event-ID`"),
  recent: z
    .string()
    .regex(/^\d{1,3}$/, RECENT_MESSAGE)
    .transform(Number)
    .refine((count) => count <= RECENT_MAX, RECENT_MESSAGE)
    .default(0)
    .describe("How many of the last events come first, where it doesn't go on from somewhere"),
});

export type EventStreamParts = {
  events: Events;
  denylist: Pick<Denylist, "assertNotRevoked">;
  revocations: Pick<Revocations, "follow">;
  isStopping: () => boolean;
};

/**
 * Streams events as they happen, for as long as the token that asks is accepted. It ends at once when the token is
 * revoked or expires, when Redis can't be asked any more, and when this instance stops.
 */
export function createEventStream({ events, denylist, revocations, isStopping }: EventStreamParts) {
  let open = 0;

  function startOf(req: Request, { last_event_id, recent }: z.infer<typeof StreamQuery>): Promise<Positions> {
    const header = req.get("Last-Event-ID");
    const [path, written] = header ? ["Last-Event-ID", header] : ["last_event_id", last_event_id];
    if (!written) return events.last(recent);
    const place = events.read(written);
    if (place && !events.isAtEnd(place)) return Promise.resolve(place);
    throw new CurfewError("invalid_request", { details: [{ path, message: "must be the id of an event" }] });
  }

  /**
   * Sends what happens after a place, until the signal says that it is over. Who reads slowly is waited for. The token
   * is checked before anything is sent, because an entry that somebody writes by hand has no event to tell of it.
   */
  async function send(res: Response, caller: Token, start: Positions, over: AbortSignal): Promise<void> {
    let place = start;
    let heardAt = performance.now();
    const isOver = () => over.aborted || res.closed || isStopping();
    const write = async (text: string) => {
      await denylist.assertNotRevoked(caller);
      if (isOver()) return;
      res.write(text);
      heardAt = performance.now();
    };
    res.write("retry: 1000\n\n");
    while (!isOver()) {
      const isBlocked = res.writableNeedDrain;
      const batch = isBlocked ? { events: [], next: undefined } : await events.after(place, BATCH);
      if (isOver()) return;
      if (batch.events.length > 0) await write(batch.events.map(({ event }) => messageOf(event)).join(""));
      place = batch.events.at(-1)?.to ?? place;
      if (performance.now() - heardAt >= HEARTBEAT_MS) await write(":\n\n");
      if (!batch.next) await sleep(POLL_MS, undefined, { signal: over }).catch(() => undefined);
    }
  }

  async function stream(res: Response, caller: Token, startAt: () => Promise<Positions>): Promise<void> {
    const over = new AbortController();
    const end = (code: ErrorCode) => {
      over.abort(new CurfewError(code));
    };
    const unfollow = revocations.follow((revocation) => {
      if (isEndedBy(caller, revocation)) end("token_revoked");
    });
    const leftMs = Math.min(caller.exp * 1000 - Date.now(), TIMER_MAX_MS);
    const expiry = setTimeout(end, leftMs, "token_expired" satisfies ErrorCode);
    try {
      const start = await startAt();
      // It may have been revoked between the guard and the moment from which we are told.
      await denylist.assertNotRevoked(caller);
      over.signal.throwIfAborted();
      res.status(200).set(HEADERS).flushHeaders();
      over.signal.addEventListener("abort", () => {
        close(res);
      });
      await outsideBudgets(() => send(res, caller, start, over.signal)).catch(throwUnlessOutage);
    } finally {
      unfollow();
      clearTimeout(expiry);
      if (res.headersSent) close(res);
    }
  }

  return endpoint({
    name: "followEvents",
    summary: "Follow the events as they happen",
    query: StreamQuery,
    answers: {
      200: {
        description: "Server-sent events, whose data is JSON; each `id` is where a later request can go on",
        mediaType: "text/event-stream",
        schema: Event,
      },
    },
    errors: ["overloaded", "stopping"],
    async handle(req, res, _body, query) {
      const caller = callerOf(req);
      if (req.method === "HEAD") {
        res.set(HEADERS).end();
        return;
      }
      if (isStopping()) throw new CurfewError("stopping");
      if (open >= STREAMS_MAX) throw new CurfewError("overloaded");
      open += 1;
      try {
        await stream(res, caller, () => startOf(req, query));
      } finally {
        open -= 1;
      }
    },
  });
}

/** nginx would keep back what is told at once. */
const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "X-Accel-Buffering": "no",
  Connection: "close",
};

const messageOf = (event: Event) => `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`;

/** What a slow reader hasn't fetched yet isn't waited for. */
function close(res: Response): void {
  if (res.writableLength > 0) res.destroy();
  else res.end();
}

function throwUnlessOutage(error: unknown): void {
  if (!(error instanceof CurfewError)) throw error;
}
