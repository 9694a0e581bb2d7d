/** The audit trail: a stream that says who ended or revoked what, when, why and from where. */
export const eventsKey = (prefix: string) => `${prefix}events`;

export const EVENTS_KEPT = 100_000;

/** Of two ids in the stream, whether the one was written after the other. */
export function isLater(one: string, other: string): boolean {
  const [ms = 0, count = 0] = one.split("-").map(Number);
  const [otherMs = 0, otherCount = 0] = other.split("-").map(Number);
  return ms === otherMs ? count > otherCount : ms > otherMs;
}
