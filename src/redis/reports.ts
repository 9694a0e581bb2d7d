import type { Logger } from "pino";
import { loggable } from "../errors";
import { logEvent } from "../log/events";
import type { Info, Warning } from "./info";

const NOT_YET = new Error("Redis hasn't answered yet");
const CLOSED = new Error("the connection to Redis was closed");

/** Why Redis is away: one line for each reason and one when it is back, not one for each attempt to connect. */
export function createReports(log: Logger) {
  const said = new Set<string>();
  let last = NOT_YET;
  return {
    ready: () => {
      said.clear();
      last = CLOSED;
      logEvent(log, "redis is ready");
    },
    /** The message only, because ioredis puts the arguments of the command, a password perhaps, beside it. */
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

/** One line for each thing that begins to be wrong with a Redis that answers, and one when it no longer is. */
export function createWarningLog(log: Logger): (warnings: Warning[]) => void {
  let known: Warning[] = [];
  const without = (some: Warning[], others: Warning[]) =>
    some.filter(({ code }) => others.every((other) => other.code !== code));
  return (warnings) => {
    for (const { code, message } of without(warnings, known)) {
      logEvent(log, "warning", { warning: code }, message);
    }
    for (const { code } of without(known, warnings)) {
      logEvent(log, "this is no longer so", { warning: code });
    }
    known = warnings;
  };
}

/** A promise of the first contact with Redis: what came of it, or that our user or password isn't taken. */
export function createContact() {
  let made: (infos: Info[]) => void = () => undefined;
  let reject: (reason: Error) => void = () => undefined;
  const promise = new Promise<Info[]>((resolve, rejectIt) => {
    made = resolve;
    reject = rejectIt;
  });
  // Whoever doesn't wait for it isn't told.
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
