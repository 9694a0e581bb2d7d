import { hasJumped, mayHaveJumped, moment, type DatedLead } from "../../redis/clock";

/** Whether Redis's clock was set ahead during the current epoch. */
export type ClockWatch = {
  hasJumped(epoch: string | null, lead: DatedLead | undefined): boolean;
  /**
   * From now on the clock is compared with this reading, unless it was taken too early or too slowly to be relied on.
   */
  remember(epoch: string, lead: DatedLead | undefined): void;
  /**
   * Does what can't wait for the next look: takes the first reading of an epoch, and follows a clock that was set back.
   */
  keepUp(epoch: string, lead: DatedLead | undefined): void;
};

export function createClockWatch(): ClockWatch {
  let known: { epoch: string; sinceMs: number; lead: DatedLead | undefined } | undefined;

  const remember: ClockWatch["remember"] = (epoch, lead) => {
    if (known?.epoch !== epoch) {
      // A jump may be the reason for this epoch. Comparing with a reading from before the jump would begin yet another
      // epoch.
      const sinceMs = known ? moment().steadyMs : -Infinity;
      known = { epoch, sinceMs, lead: undefined };
    }
    if (!lead || lead.askedMs <= known.sinceMs) return;
    // A quick answer can reveal a jump that a slow one hides, but only if it is compared with a reading from before
    // both.
    if (!mayHaveJumped(known.lead, lead)) known.lead = lead;
  };

  return {
    hasJumped: (epoch, lead) => known?.epoch === epoch && hasJumped(known.lead, lead),

    remember,

    keepUp(epoch, lead) {
      const before = known?.epoch === epoch ? known.lead : undefined;
      // A clock that was set back may be set ahead again, by as much and no further.
      if (!before || (lead && lead.mostMs < before.leastMs)) remember(epoch, lead);
    },
  };
}
