/** The audit trail: a stream that says who ended or revoked what, when, why and from where. */
export const eventsKey = (prefix: string) => `${prefix}events`;

export const EVENTS_KEPT = 100_000;
