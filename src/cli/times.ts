const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A span of time in its largest unit: `45 s`, `12 min`, `3 h`, `2 d`. */
export function spanOf(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  return ms < DAY_MS ? `${Math.floor(ms / HOUR_MS)} h` : `${Math.floor(ms / DAY_MS)} d`;
}

/** How long ago, for somebody who reads it now. */
export function agoOf(time: string): string {
  const ms = Date.now() - Date.parse(time);
  return ms < MINUTE_MS ? "now" : `${spanOf(ms)} ago`;
}

/** A time by itself and from now: `2026-11-21 18:40:00 UTC, in 12 min`. What isn't a time stays as it is. */
export function momentOf(time: string): string {
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) return time;
  const written = new Date(ms).toISOString().replace("T", " ").slice(0, 19);
  return `${written} UTC, ${ms > Date.now() ? `in ${spanOf(ms - Date.now())}` : agoOf(time)}`;
}

/** The same for Unix seconds, which somebody may have written by hand. */
export const momentOfSeconds = (seconds: number): string =>
  Math.abs(seconds) < 1e11 ? momentOf(new Date(seconds * 1000).toISOString()) : String(seconds);
