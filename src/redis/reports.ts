import type { Logger } from "pino";
import { loggable } from "../errors";
import { logEvent } from "../log/events";
import type { Info, Warning } from "./info";

const NOT_YET = new Error("Redis hasn't answered yet");
const CLOSED = new Error("the connection to Redis was closed");

/** Logs why Redis is away: one line for each reason and one when it is back, not one for each attempt to connect. */
export function createReports(log: Logger) {
  const said = new Set<string>();
  let last = NOT_YET;
  return {
    ready: () => {
      said.clear();
      last = CLOSED;
      logEvent(log, "redis is ready");
    },
    /** Logs only the message: ioredis's errors also carry the command's arguments, and one may be a password. */
    failed: (error: Error) => {
      last = error;
      const cause = loggable(error);
      if (said.has(cause)) return;
      said.add(cause);
      logEvent(log, "redis can't be reached", { cause });
    },
    lastFailure: () => last,
  };
}

/** Logs each warning once when it begins, and once when it no longer applies. */
export function createWarningLog(log: Logger): (warnings: Warning[]) => void {
  let known: Warning[] = [];
  const without = (some: Warning[], others: Warning[]) =>
    some.filter(({ code }) => others.every((other) => other.code !== code));
  return (warnings) => {
    for (const { code, message } of without(warnings, known)) {
      logEvent(log, "warning", { warning: code }, message);
    }
    for (const { code } of without(known, warnings)) {
      logEvent(log, "warning cleared", { warning: code });
    }
    known = warnings;
  };
}

/** A promise of the first contact with Redis. It rejects if Redis refuses the user or password. */
export function createContact() {
  let made: (infos: Info[]) => void = () => undefined;
  let reject: (reason: Error) => void = () => undefined;
  const promise = new Promise<Info[]>((resolve, rejectIt) => {
    made = resolve;
    reject = rejectIt;
  });
  // Without this, a rejection that nobody waits for would end the process.
  promise.catch(() => undefined);
  return {
    promise,
    made: (infos: Info[]) => {
      made(infos);
    },
    refused: (error: Error) => {
      if (/^(WRONGPASS|NOAUTH|ERR invalid password|ERR AUTH)/.test(error.message)) reject(error);
    },
  };
}
