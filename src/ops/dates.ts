/** RFC 3339 has no later years. */
const LATEST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** Null for what no date can say: anybody may have written it by hand. */
export const dateOf = (ms: number): string | null =>
  Math.abs(ms) <= LATEST_MS ? new Date(ms).toISOString() : null;
