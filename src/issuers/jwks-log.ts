import type { Logger } from "pino";
import type { SkippedKey } from "./key-set";

/** What becomes of fetching an issuer's keys: a line for each change, none for what is as it was. */
export function createJwksLog(issuer: string, log: Logger) {
  let lastCause: string | undefined = "not yet fetched";
  let lastSkipped: string[] = [];

  return {
    fetched(skipped: SkippedKey[]): void {
      if (lastCause !== undefined) log.info({ issuer }, "the issuer's keys were fetched");
      lastCause = undefined;
      const known = lastSkipped;
      lastSkipped = skipped.map((each) => JSON.stringify(each));
      for (const [at, { kid, reason }] of skipped.entries()) {
        if (!known.includes(lastSkipped[at] ?? "")) log.warn({ issuer, kid, reason }, "a key can't be used");
      }
    },

    failed(cause: string): void {
      if (cause !== lastCause) log.error({ issuer, cause }, "the issuer's keys can't be fetched");
      lastCause = cause;
    },
  };
}
