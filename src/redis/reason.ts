import { TIME_UP } from "./budget";

/** In a word or two, and without an address or a key, what went wrong between us and Redis. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.message === TIME_UP) return "no answer in time";
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined) return code;
  // What Redis itself answers begins with a word in capitals: LOADING, READONLY, OOM …
  return /^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? "not connected";
}
