import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { loggable } from "../../errors";
import { logEvent } from "../../log/events";
import { outsideBudgets } from "../../redis/budget";
import type { Tracking, TrackingListener } from "../../redis/links/tracking";
import type { Client } from "../../redis/commands";
import type { Redis } from "../../redis/redis";
import { scanStep, SCAN_START, type ScanPlace } from "../../redis/scan";
import type { Shards } from "../../redis/shards";
import type { Found } from "../look-ups";
import { epochKey, type Epochs } from "../past/epochs";
import type { Past, Present } from "../past/past";
import { repeat } from "../past/repeat";
import { bytesOf, createCopy, type Copy } from "./copy";
import { createDoubts } from "./doubts";
import { createHeartbeats } from "./heartbeats";

/**
 * A copy of which entries there are, kept in step by Redis, so that a clean check needs no round trip. Why a check may
 * rely on it:
 *
 * - It only ever answers "clean". Every hit and every doubt asks Redis.
 * - Once it is whole, nothing is missing: Redis tells of every change from before the scan begins, and the scan finds
 *   what was there before. A key that was touched counts as an entry until Redis, asked after that, doesn't have it.
 * - It has every entry that was acknowledged before the last heartbeat it heard was sent: Redis tells of a key before it
 *   acknowledges the write, and on one connection in order. So whatever breaks, nobody is accepted for longer after a
 *   logout than the copy may be old: without a heartbeat that is heard, it grows too old.
 * - What this process itself revokes is refused at once: from then on, no heartbeat counts that was sent earlier.
 * - It belongs to one past. Heartbeats, scan and doubts are asked as checks are, and where these would have to look
 *   again (another connection, another Redis, another epoch), the copy isn't trusted, and is made anew.
 */
export type Mirror = {
  /** Returns an answer if certainly none of the keys is an entry's. Otherwise Redis must be asked. */
  lookUp(keys: readonly string[]): Found | undefined;
  /** To be called when this process has written entries, before anybody is told so. */
  wrote: () => void;
  status: () => MirrorStatus;
  /** Begins to follow Redis. Returns a function that stops it. */
  follow(): () => void;
};

/** `waiting`: until Redis tells what changes. Only while it is `fresh` are checks answered by it. */
export const MIRROR_STATES = ["waiting", "scanning", "stale", "fresh"] as const;

export type MirrorStatus = {
  state: (typeof MIRROR_STATES)[number];
  /** About as many, because it may hold some that are gone. */
  entries: number;
  /** How old what it knows can be; undefined while nothing is known. */
  stalenessMs: number | undefined;
};

type MirrorParts = {
  redis: Redis & Required<Pick<Redis, "track">>;
  shards: Shards;
  epochs: Epochs;
  past: Past;
  log: Logger;
};

/** What was copied, of which Redis and in which epoch. */
type Build = {
  copy: Copy;
  present: Present;
  /** The answer to a check that finds nothing. */
  clean: { anyExists: false; epoch: string };
  isWhole: boolean;
};

const BEATS_PER_STALENESS = 4;
const BEAT_AT_LEAST_EVERY_MS = 250;
/** So that a scan takes at most a third of Redis's time. */
const PAUSE_PER_SCAN = 2;

/** Of a denylist that is one shard. */
export function createMirror(parts: MirrorParts, maxStalenessMs: number): Mirror {
  const { redis, shards, epochs, past, log } = parts;
  const [prefix = ""] = shards.prefixes;
  const ask = <T>(command: (client: Client) => Promise<T>) => past.ask(prefix, () => redis.ask(command));
  const tell = createReport(log);
  let tracking: Tracking | undefined;
  let isArmed = false;
  let build: Build | undefined;

  const isStill = ({ present, clean }: Build) =>
    past.isStill(prefix, present) && epochs.known(prefix) === clean.epoch;

  const isTrusted = (it: Build | undefined): it is Build =>
    it !== undefined && it.isWhole && heartbeats.isFresh() && past.isConfirmed(prefix) && isStill(it);

  /** Stricter, for what Redis has just said: it counts only if the same Redis said it that was copied. */
  const isSame = (it: Build | undefined): it is Build =>
    it !== undefined && it.present === past.present(prefix);

  const doubts = createDoubts({ ask, copy: () => (isSame(build) ? build.copy : undefined) });
  const options = {
    ...{ prefix, ask },
    isStill(epoch: string | null) {
      // Redis may not have told that the epoch ended.
      if (isSame(build) && build.clean.epoch === epoch) return true;
      distrust();
      return false;
    },
    onDeaf() {
      if (isArmed) tracking?.renew();
    },
  };
  const heartbeats = createHeartbeats(options, maxStalenessMs);

  function distrust(): void {
    build = undefined;
    heartbeats.restart();
  }

  /** Copies everything. What is touched meanwhile is told to the copy that is being made. */
  async function rebuild(): Promise<void> {
    const readEpoch = () =>
      past.ask(prefix, async (knownThen) => ({
        said: await redis.ask((client) => client.get(epochKey(prefix))),
        knownThen,
      }));
    const { said, knownThen } = await readEpoch();
    const epoch = await epochs.current(prefix, said, knownThen);
    // If that was a new epoch, this looks whether the Redis that has it is the one that we knew.
    await readEpoch();
    const present = past.present(prefix);
    if (present === undefined || !isArmed) return;
    const clean = { anyExists: false, epoch } as const;
    const mine: Build = { copy: createCopy(), present, clean, isWhole: false };
    build = mine;
    mine.isWhole = await scan(mine).catch(() => false);
    if (build !== mine) return;
    if (mine.isWhole) await heartbeats.send();
    else distrust();
  }

  /** Returns whether it has seen all that was there before. */
  async function scan(mine: Build): Promise<boolean> {
    let place: ScanPlace | undefined = SCAN_START;
    while (place) {
      const from: ScanPlace = place;
      const askedAt = performance.now();
      const step = await past.ask(prefix, () => scanStep(redis, `${shards.pattern}denylist:*`, from));
      const tookMs = performance.now() - askedAt;
      if (build !== mine || !isSame(mine)) return false;
      for (const key of step.keys) mine.copy.add(bytesOf(key));
      place = step.next;
      if (place) await sleep(PAUSE_PER_SCAN * tookMs, undefined, { ref: false });
    }
    return true;
  }

  async function keepUp(): Promise<void> {
    if (!isArmed) return;
    if (build && (!isStill(build) || build.copy.isLeaking)) distrust();
    await (build ? heartbeats.send() : rebuild());
  }

  function touch(key: string): void {
    if (key.startsWith(heartbeats.prefix)) {
      heartbeats.heard(key);
      if (isTrusted(build)) tell.fresh(build.copy);
    } else if (key === epochKey(prefix)) {
      distrust();
    } else if (build) {
      build.copy.touch(key);
      doubts.askSoon();
    }
  }

  const listener: TrackingListener = {
    armed() {
      isArmed = true;
      distrust();
    },
    touched(keys) {
      for (const key of keys) touch(key.toString("latin1"));
    },
    flushed: distrust,
    // What was heard before stays as fresh as it is.
    lost() {
      isArmed = false;
    },
    refused: tell.refused,
  };

  function stateOf(): MirrorStatus["state"] {
    if (!build) return "waiting";
    if (!build.isWhole) return "scanning";
    return isTrusted(build) ? "fresh" : "stale";
  }

  return {
    lookUp(keys) {
      const mine = build;
      if (!isTrusted(mine)) return undefined;
      for (const key of keys) if (mine.copy.mayHold(key)) return undefined;
      return mine.clean;
    },

    wrote() {
      heartbeats.doubt();
      // In no request's time. Those that can't be heard would only gather.
      if (build && isArmed) outsideBudgets(heartbeats.sendSoon);
    },

    status: () => ({
      state: stateOf(),
      entries: build?.copy.size ?? 0,
      stalenessMs: build && heartbeats.ageMs(),
    }),

    follow: () =>
      outsideBudgets(() => {
        tracking = redis.track([`${prefix}denylist:`, heartbeats.prefix], listener);
        const beatEveryMs = Math.min(maxStalenessMs / BEATS_PER_STALENESS, BEAT_AT_LEAST_EVERY_MS);
        const stop = repeat(keepUp, beatEveryMs);
        return () => {
          stop();
          doubts.stop();
          tracking?.close();
          isArmed = false;
          distrust();
        };
      }),
  };
}

/** Logs each copy once, when it is first trusted, and each reason why there can be none. */
function createReport(log: Logger) {
  let last: Copy | undefined;
  let reason: string | undefined;
  return {
    fresh: (copy: Copy) => {
      if (copy === last) return;
      last = copy;
      reason = undefined;
      logEvent(log, "the mirror is fresh", { entries: copy.size });
    },
    refused: (error: Error) => {
      const cause = loggable(error);
      if (cause === reason) return;
      reason = cause;
      logEvent(log, "the mirror can't follow Redis", { cause });
    },
  };
}
