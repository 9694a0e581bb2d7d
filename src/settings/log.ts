import pino, { type Logger } from "pino";
import type { Reading } from "./reading";

type Write = (about: object, message: string) => void;

/** A logger like pino's: its functions take an object, then a message. Any logger with the first three will do. */
export type Log = {
  info: Write;
  warn: Write;
  error: Write;
  /** Told why a token with a good signature was refused. */
  debug?: Write;
  child?: (bindings: object) => Log;
};

const LEVELS = ["info", "warn", "error"] as const;

/** Without a logger, warnings and errors are written to standard error, and everything else is dropped. */
export function readLog({ read, refuse }: Reading<"value">): Logger {
  const given = read("log");
  if (isLog(given)) return toLogger(given);
  if (given !== undefined) refuse("log");
  return pino({ level: "warn", timestamp: pino.stdTimeFunctions.isoTime }, process.stderr);
}

function isLog(value: unknown): value is Log {
  const log = value as Partial<Record<string, unknown>> | null | undefined;
  return LEVELS.every((level) => typeof log?.[level] === "function");
}

/** Wraps an app's logger as a pino logger, with only those functions that Curfew uses. */
function toLogger(log: Log): Logger {
  const write = (level: (typeof LEVELS)[number] | "debug") => (about: object | string, message?: string) => {
    if (typeof about === "string") log[level]?.({}, about);
    else log[level]?.(about, message ?? "");
  };
  const used = {
    debug: write("debug"),
    ...{ info: write("info"), warn: write("warn"), error: write("error") },
    child: (bindings: object) => (log.child ? toLogger(log.child(bindings)) : toLogger(log)),
  };
  return used as unknown as Logger;
}
