import { hasJumped, mayHaveJumped, moment, type DatedLead } from "../redis/clock";

/** Whether Redis's clock was set ahead in the epoch that holds. */
export type ClockWatch = {
  hasJumped(epoch: string | null, lead: DatedLead | undefined): boolean;
  /** From then on the clock is compared with this, unless it was read too early, or too slowly, to be relied on. */
  remember(epoch: string, lead: DatedLead | undefined): void;
  isRemembered(epoch: string | undefined): boolean;
};

export function createClockWatch(): ClockWatch {
  let known: { epoch: string; sinceMs: number; lead: DatedLead | undefined } | undefined;
  return {
    hasJumped: (epoch, lead) => known?.epoch === epoch && hasJumped(known.lead, lead),

    isRemembered: (epoch) => known?.epoch === epoch && known?.lead !== undefined,

    remember(epoch, lead) {
      if (known?.epoch !== epoch) {
        // A jump may be why it began. Whoever compares the clock with what it was before would begin another one.
        const sinceMs = known ? moment().steadyMs : -Infinity;
        known = { epoch, sinceMs, lead: undefined };
      }
      if (!lead || lead.askedMs <= known.sinceMs) return;
      // After a slow answer a jump would be found by a quick one, but only if it is compared with what was before both.
      if (!mayHaveJumped(known.lead, lead)) known.lead = lead;
    },
  };
}
