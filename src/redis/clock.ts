import { uptime } from "node:os";

/**
 * A moment by two of our clocks: the wall clock, and one that nobody sets and that runs on while the machine sleeps.
 */
export type Moment = { wallMs: number; steadyMs: number };

export const moment = (): Moment => ({ wallMs: Date.now(), steadyMs: uptime() * 1000 });

/** How far Redis's clock is ahead of one of ours. Two bounds, as Redis read it between our question and its answer. */
export type Lead = { leastMs: number; mostMs: number };

/** A lead, and when we last asked, by our steady clock. */
export type DatedLead = Lead & { askedMs: number };

/** If Redis's clock was set ahead by more than this, entries may be gone. Clocks drift by less on their own. */
export const MAX_JUMP_MS = 2000;

/** Whether the clock was certainly set ahead by more between the two. */
export const hasJumped = (before: Lead | undefined, now: Lead | undefined) =>
  before !== undefined && now !== undefined && now.leastMs - before.mostMs > MAX_JUMP_MS;

/** Whether it may have been: a slow answer leaves much room. */
export const mayHaveJumped = (before: Lead | undefined, now: Lead) =>
  before !== undefined && now.mostMs - before.leastMs > MAX_JUMP_MS;

const REMEMBERED = 10;
/** The resolution of the steady clock. */
const RESOLUTION_MS = 10;

/** Estimates Redis's clock from its answers. */
export function createClock() {
  const [wall, steady] = [createLead(), createLead()];
  let askedMs = 0;
  return {
    told(timeMs: number, asked: Moment, answered: Moment): void {
      askedMs = asked.steadyMs;
      wall.told({ leastMs: timeMs - answered.wallMs, mostMs: timeMs - asked.wallMs });
      steady.told({
        leastMs: timeMs - answered.steadyMs - RESOLUTION_MS,
        mostMs: timeMs - asked.steadyMs,
      });
    },
    /** How far it is ahead of the clock by which tokens expire. */
    wallLead: wall.lead,
    /** Grows only when Redis's clock is set ahead, whatever happens to ours. */
    steadyLead: (): DatedLead | undefined => {
      const lead = steady.lead();
      return lead && { ...lead, askedMs };
    },
  };
}

function createLead() {
  let told: Lead[] = [];
  const lead = (): Lead | undefined =>
    told.length === 0
      ? undefined
      : {
          leastMs: Math.max(...told.map(({ leastMs }) => leastMs)),
          mostMs: Math.min(...told.map(({ mostMs }) => mostMs)),
        };
  return {
    lead,
    told(next: Lead): void {
      const known = lead();
      // An answer outside the known bounds means that one of the two clocks was set.
      if (known && (next.leastMs > known.mostMs || next.mostMs < known.leastMs)) told = [];
      told = [...told, next].slice(-REMEMBERED);
    },
  };
}
