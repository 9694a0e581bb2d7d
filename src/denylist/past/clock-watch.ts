import { hasJumped, mayHaveJumped, moment, type DatedLead } from "../../redis/clock";

/** Whether Redis's clock was set ahead in the epoch that holds. */
export type ClockWatch = {
  hasJumped(epoch: string | null, lead: DatedLead | undefined): boolean;
  /** From then on the clock is compared with this, unless it was read too early, or too slowly, to be relied on. */
  remember(epoch: string, lead: DatedLead | undefined): void;
  /** What can't wait for the next look: the first reading in an epoch, and a clock that was set back. */
  keepUp(epoch: string, lead: DatedLead | undefined): void;
};

export function createClockWatch(): ClockWatch {
  let known: { epoch: string; sinceMs: number; lead: DatedLead | undefined } | undefined;

  const remember: ClockWatch["remember"] = (epoch, lead) => {
    if (known?.epoch !== epoch) {
      // A jump may be why it began. Whoever compares the clock with what it was before would begin another one.
      const sinceMs = known ? moment().steadyMs : -Infinity;
      known = { epoch, sinceMs, lead: undefined };
    }
    if (!lead || lead.askedMs <= known.sinceMs) return;
    // After a slow answer a jump would be found by a quick one, but only if it is compared with what was before both.
    if (!mayHaveJumped(known.lead, lead)) known.lead = lead;
  };

  return {
    hasJumped: (epoch, lead) => known?.epoch === epoch && hasJumped(known.lead, lead),

    remember,

    keepUp(epoch, lead) {
      const before = known?.epoch === epoch ? known.lead : undefined;
      // From where it is set back to it may be set ahead again, as far as before and no farther.
      if (!before || (lead && lead.mostMs < before.leastMs)) remember(epoch, lead);
    },
  };
}
