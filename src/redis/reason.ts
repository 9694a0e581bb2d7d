import { TIME_UP } from "./budget";

/** Says in a word or two what went wrong with Redis, without an address or a key. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.message === TIME_UP) return "no answer in time";
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined) return code;
  // Redis's own errors begin with a word in capitals: LOADING, READONLY, OOM …
  return /^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? "not connected";
}
