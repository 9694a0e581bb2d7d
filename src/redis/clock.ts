import type { Info } from "./info";

const REMEMBERED = 10;

export type Clock = ReturnType<typeof createClock>;

/**
 * How far Redis's clock is ahead of ours. What it says is read late, by the time of the answer's way and by what this
 * process was busy with, so that the greatest of the last few is nearest to the truth.
 */
export function createClock() {
  const leadsMs: number[] = [];
  return {
    told({ clockLeadMs }: Info): void {
      if (clockLeadMs === undefined) return;
      leadsMs.push(clockLeadMs);
      if (leadsMs.length > REMEMBERED) leadsMs.shift();
    },
    leadMs: () => greatest(leadsMs),
  };
}

export const greatest = (values: number[]) => (values.length === 0 ? undefined : Math.max(...values));
