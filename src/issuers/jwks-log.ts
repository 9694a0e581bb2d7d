import type { Logger } from "pino";
import { logEvent } from "../log/events";
import type { SkippedKey } from "./key-set";

/** Logs how fetching an issuer's keys goes: one line for each change, none while nothing changes. */
export function createJwksLog(issuer: string, log: Logger) {
  let lastCause: string | undefined = "not yet fetched";
  let lastSkipped: string[] = [];

  return {
    fetched(skipped: SkippedKey[]): void {
      if (lastCause !== undefined) logEvent(log, "the issuer's keys were fetched", { issuer });
      lastCause = undefined;
      const known = lastSkipped;
      lastSkipped = skipped.map((each) => JSON.stringify(each));
      for (const [at, { kid, reason }] of skipped.entries()) {
        if (!known.includes(lastSkipped[at] ?? ""))
          logEvent(log, "a key can't be used", { issuer, kid, reason });
      }
    },

    failed(cause: string): void {
      if (cause !== lastCause) logEvent(log, "the issuer's keys can't be fetched", { issuer, cause });
      lastCause = cause;
    },
  };
}
