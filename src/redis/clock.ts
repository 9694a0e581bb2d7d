import { uptime } from "node:os";

/** A moment by two clocks of ours: the one on the wall, and one that nobody sets and that counts on while the machine sleeps. */
export type Moment = { wallMs: number; steadyMs: number };

export const moment = (): Moment => ({ wallMs: Date.now(), steadyMs: uptime() * 1000 });

/** How far Redis's clock is ahead of one of ours. It was read between our question and Redis's answer. */
export type Lead = { leastMs: number; mostMs: number };

/** The same, and when we last asked, by our steady clock. */
export type DatedLead = Lead & { askedMs: number };

/** Entries may be gone if Redis's clock was set ahead by more. Less is what clocks do by themselves. */
export const MAX_JUMP_MS = 2000;

/** Whether it was set ahead by more between the two, at the very least. */
export const hasJumped = (before: Lead | undefined, now: Lead | undefined) =>
  before !== undefined && now !== undefined && now.leastMs - before.mostMs > MAX_JUMP_MS;

/** Whether it can't be excluded that it was: a slow answer says little. */
export const mayHaveJumped = (before: Lead | undefined, now: Lead) =>
  before !== undefined && now.mostMs - before.leastMs > MAX_JUMP_MS;

const REMEMBERED = 10;
/** What the steady clock is read in. */
const RESOLUTION_MS = 10;

/** Redis's clock, as it is seen from here. */
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
    /** Ahead of the clock by which our tokens expire. */
    wallLead: wall.lead,
    /** Grows by what Redis's clock is set ahead, and by nothing that happens to ours. */
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
      // What contradicts it means that one of the two clocks was set.
      if (known && (next.leastMs > known.mostMs || next.mostMs < known.leastMs)) told = [];
      told = [...told, next].slice(-REMEMBERED);
    },
  };
}
