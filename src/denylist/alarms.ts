import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { CurfewError } from "../errors";
import { logEvent, type LogEvent } from "../log/events";
import { outsideBudgets } from "../redis/budget";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import { cutUserAgent, usesKeyOf, type Requester } from "./entry";
import { epochKey } from "./past/epochs";
import { EVENTS_KEPT, eventsKey, type StreamEvent } from "./events";
import type { Past } from "./past/past";
import { readWritingScript } from "./writer";

/**
 * How a token was used. `by` is who showed it to us, or empty if its bearer sent it; `about` goes only
 * into the log.
 */
export type Use = { by: string; requester: Requester; about: Record<string, string | undefined> };

export type Alarms = {
  /**
   * Call it with whatever refused a token. Use of a revoked token may mean that it was stolen: log and events report
   * each such token once a minute, the log also with the number of uses. Returns at once, and never throws.
   */
  raise: (refusal: unknown, use: Use) => void;
  /** How many uses of revoked tokens this process has refused. */
  total: () => number;
  /**
   * Reports what hasn't been reported yet, and stops. Resolves once Redis has answered, or at the latest when the time
   * for a call is up.
   */
  close: () => Promise<void>;
};

type AlarmParts = { redis: Redis; shards: Shards; past: Pick<Past, "witnessed">; log: Logger };

type RevokedToken = { sub: string; sid?: string; jti: string; entryKeys: readonly string[] };

/** A token in use; without `token`, all those that there was no room for. `uses` counts those not reported yet. */
type Watched = { token: RevokedToken | undefined; latest: Use; uses: number; timer: NodeJS.Timeout };

const EVENT = "revoked_token_used" satisfies LogEvent & StreamEvent;
const WINDOW_MS = 60_000;
/**
 * Whoever has hundreds of revoked tokens must not be able to fill memory, the log or the events with them, or hide
 * another's.
 */
const TOKENS_MAX = 100;
const TOKENS_PER_SUBJECT_MAX = 20;
const OTHERS = "others";
const TOO_MANY = "more revoked tokens are in use than are reported one by one";
/** A little less than a window, so that having reported one use doesn't keep an instance from reporting the next. */
const QUIET_SHARE = 0.9;

const TELL_USE = readWritingScript(join(__dirname, "tell-use.lua"));

export function createAlarms({ redis, shards, past, log }: AlarmParts, windowMs = WINDOW_MS): Alarms {
  const watched = new Map<string, Watched>();
  let total = 0;

  async function tellEvent(token: RevokedToken, { by, requester }: Use, uses: number): Promise<void> {
    const { sub, sid = "", jti, entryKeys } = token;
    const prefix = shards.prefixOf(sub);
    const told = `${prefix}ratelimit:alarm:${digestOf(sub, jti)}`;
    const args = {
      ...{ event: EVENT, sub, sid, jti, by, note: "", events_kept: EVENTS_KEPT },
      witnessed: past.witnessed(prefix) ?? "",
      now: new Date().toISOString(),
      ip: requester.ip ?? "",
      user_agent: cutUserAgent(requester.userAgent) ?? "",
      quiet_ms: Math.floor(windowMs * QUIET_SHARE),
      uses,
    };
    const keys = [eventsKey(prefix), epochKey(prefix), told];
    const records = entryKeys.flatMap((key) => [key, usesKeyOf(prefix, key)]);
    // If Redis doesn't accept the event, the log has it anyway.
    await redis.run(TELL_USE, [...keys, ...records], args).catch(() => undefined);
  }

  function tellLog({ token, latest, uses }: Watched): void {
    const names = token && { sub: token.sub, sid: token.sid, jti: token.jti };
    logEvent(log, EVENT, { ...latest.about, ...names, uses, total }, token ? EVENT : TOO_MANY);
  }

  async function tell(each: Watched): Promise<void> {
    const { token, latest, uses } = each;
    tellLog(each);
    each.uses = 0;
    if (token) await tellEvent(token, latest, uses);
  }

  /**
   * Reports at once, then at the end of each window in which the token was used again. After a window without use, it
   * is forgotten.
   */
  function watch(key: string, token: RevokedToken | undefined, latest: Use): void {
    const timer = setInterval(() => {
      if (each.uses > 0) {
        void tell(each);
        return;
      }
      clearInterval(timer);
      watched.delete(key);
    }, windowMs).unref();
    const each: Watched = { token, latest, uses: 1, timer };
    watched.set(key, each);
    void tell(each);
  }

  function hasRoomFor(sub: string): boolean {
    const ofSubject = [...watched.values()].filter(({ token }) => token?.sub === sub);
    return watched.size < TOKENS_MAX && ofSubject.length < TOKENS_PER_SUBJECT_MAX;
  }

  return {
    raise(refusal, use) {
      const token = revokedTokenOf(refusal);
      if (!token) return;
      total += 1;
      const digest = digestOf(token.sub, token.jti);
      const hasRoom = watched.has(digest) || hasRoomFor(token.sub);
      const key = hasRoom ? digest : OTHERS;
      const known = watched.get(key);
      if (known) {
        known.uses += 1;
        known.latest = use;
        return;
      }
      // The event's time in Redis must not count against the request's.
      outsideBudgets(() => {
        watch(key, hasRoom ? token : undefined, use);
      });
    },

    total: () => total,

    async close() {
      const all = [...watched.values()];
      watched.clear();
      for (const { timer } of all) clearInterval(timer);
      await Promise.all(all.filter(({ uses }) => uses > 0).map(tell));
    },
  };
}

/**
 * Undefined for tokens from before the epoch, which raise no event, and for refusals for other reasons, which name no
 * token.
 */
function revokedTokenOf(refusal: unknown): RevokedToken | undefined {
  if (!(refusal instanceof CurfewError && refusal.code === "token_revoked" && refusal.raisesEvent))
    return undefined;
  const { sub, sid, jti } = refusal.about;
  if (sub === undefined || jti === undefined) return undefined;
  return { sub, jti, entryKeys: refusal.entryKeys, ...(sid !== undefined && { sid }) };
}

/** Foreign subjects and ids may be of any length. */
const digestOf = (sub: string, jti: string) =>
  createHash("sha256")
    .update(JSON.stringify([sub, jti]))
    .digest("base64url");
