import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { CurfewError } from "../../errors";
import { logEvent } from "../../log/events";
import type { Redis } from "../../redis/redis";
import { readScript } from "../../redis/script";
import { EVENTS_KEPT, eventsKey, type StreamEvent } from "../events";

export const epochKey = (prefix: string) => `${prefix}denylist:epoch`;

/**
 * Since when each denylist remembers: `<unix second>-<random>`. Tokens and sessions carry the epoch they were made in,
 * and are refused in any other, so that nobody who logged out gets back in because Redis lost its memory.
 */
export type Epochs = {
  /**
   * Returns the current epoch, given the one that Redis has, and the one that we knew when we asked it. Begins a
   * new one if Redis has none, or one that we saw end: then Redis went back in time.
   */
  current(prefix: string, said: string | null, knownThen: string | undefined): Promise<string>;
  /** Begins a new epoch if this one is over. Returns the current one, which another instance may have begun first. */
  begin(prefix: string, over: string | null): Promise<string>;
  /** The last epoch known to be current; undefined before the first. */
  known(prefix: string): string | undefined;
  /**
   * To be called when a genuine token carries an epoch that is over. Logs each such epoch once: it is evidence of a
   * loss, not of a theft.
   */
  tellLost(prefix: string, epoch: string): void;
};

type Memory = { epoch?: string; over: Set<string>; told: Set<string> };

const BEGIN_EPOCH = readScript(join(__dirname, "begin-epoch.lua"));

export function createEpochs(redis: Redis, log: Logger): Epochs {
  const memories = new Map<string, Memory>();

  function memoryOf(prefix: string): Memory {
    const memory = memories.get(prefix) ?? { over: new Set(), told: new Set() };
    memories.set(prefix, memory);
    return memory;
  }

  const tellLost: Epochs["tellLost"] = (prefix, epoch) => {
    const { told } = memoryOf(prefix);
    if (told.has(epoch)) return;
    told.add(epoch);
    logEvent(log, "denylist_lost", { lost_epoch: epoch, prefix }, LOST);
  };

  /**
   * An epoch that ended never comes back, nor does one that began before the one we know (unless ours is in the
   * future).
   */
  function isOver({ epoch, over }: Memory, said: string): boolean {
    const since = epoch === undefined ? 0 : Math.min(beganAt(epoch), Date.now() / 1000);
    return over.has(said) || beganAt(said) < Math.floor(since);
  }

  function end(prefix: string, epoch: string): void {
    memoryOf(prefix).over.add(epoch);
    tellLost(prefix, epoch);
  }

  const current: Epochs["current"] = async (prefix, said, knownThen) => {
    const memory = memoryOf(prefix);
    if (said === memory.epoch) return said;
    // What we knew then has ended, even if it is back in Redis by the time the new one begins. What we know by now may
    // have begun after this answer was given.
    if (said === null) return begin(prefix, knownThen ?? null);
    assertEpoch(said);
    if (isOver(memory, said)) return begin(prefix, said);
    if (memory.epoch !== undefined) end(prefix, memory.epoch);
    memory.epoch = said;
    return said;
  };

  async function begin(prefix: string, over: string | null): Promise<string> {
    const { epoch } = memoryOf(prefix);
    const now = new Date();
    const event: StreamEvent = epoch === undefined ? "denylist_began" : "denylist_lost";
    const next = await redis.run(BEGIN_EPOCH, [epochKey(prefix), eventsKey(prefix)], {
      over: over ?? "",
      next: `${Math.floor(now.getTime() / 1000)}-${randomBytes(9).toString("hex")}`,
      event,
      now: now.toISOString(),
      events_kept: EVENTS_KEPT,
    });
    if (over !== null) memoryOf(prefix).over.add(over);
    return current(prefix, String(next), epoch);
  }

  return { current, begin, known: (prefix) => memoryOf(prefix).epoch, tellLost };
}

const LOST =
  "the denylist was lost: whatever was issued before is refused, and everybody has to log in again";

/** The Unix second in which it began. */
export const beganAt = (epoch: string) => Number.parseInt(epoch, 10);

function assertEpoch(value: string): void {
  if (/^\d+-[A-Za-z0-9]+$/.test(value)) return;
  throw new CurfewError("denylist_unavailable", { cause: new Error("the epoch is malformed") });
}
