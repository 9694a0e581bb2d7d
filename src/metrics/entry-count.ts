import { setTimeout as sleep } from "node:timers/promises";
import { placeOf, type Kind } from "../denylist/entry";
import { outsideBudgets } from "../redis/budget";
import type { Redis } from "../redis/redis";
import { scanStep, SCAN_START, type ScanPlace, type ScanStep } from "../redis/scan";
import type { Shards } from "../redis/shards";

/** How many entries of each kind are alive. */
type EntryCounts = Record<Kind, number>;

export type EntryCount = {
  /**
   * Returns what the last completed walk found, undefined before the first, and never waits. Starts a walk if the last
   * one is older than a minute.
   */
  read(): EntryCounts | undefined;
};

const WALK_EVERY_MS = 60_000;
/** So that a walk takes at most about a tenth of Redis's time. */
const PAUSE_PER_SCAN = 10;

const pauseFor = (ms: number): Promise<unknown> => sleep(ms, undefined, { ref: false });

/** Counts the entries by walking all of Redis's keys, slowly, and only while somebody asks how many there are. */
export function createEntryCount(redis: Redis, shards: Shards, pause = pauseFor): EntryCount {
  let counts: EntryCounts | undefined;
  let isWalking = false;
  let walkedAt = -Infinity;

  async function walk(): Promise<void> {
    isWalking = true;
    try {
      const found: EntryCounts = { token: 0, session: 0, user: 0 };
      let place: ScanPlace | undefined = SCAN_START;
      while (place) {
        const askedAt = performance.now();
        const step: ScanStep = await scanStep(redis, `${shards.pattern}denylist:*`, place);
        const tookMs = performance.now() - askedAt;
        for (const key of step.keys) {
          const kind = placeOf(shards.prefixes, key)?.kind;
          if (kind) found[kind] += 1;
        }
        place = step.next;
        if (place) await pause(PAUSE_PER_SCAN * tookMs);
      }
      counts = found;
    } catch {
      // A part of the entries is no figure to publish. The next walk may find all of them.
    } finally {
      isWalking = false;
      walkedAt = performance.now();
    }
  }

  return {
    read() {
      const isDue = performance.now() - walkedAt > WALK_EVERY_MS;
      // The walk's time must not count against the scrape's.
      if (isDue && !isWalking) void outsideBudgets(walk);
      return counts;
    },
  };
}
