import pino, { type Logger } from "pino";
import type { Reading } from "./reading";

type Write = (about: object, message: string) => void;

/** A logger as pino's are: first an object, then a message. Of other loggers, what has these three. */
export type Log = { info: Write; warn: Write; error: Write; child?: (bindings: object) => Log };

const LEVELS = ["info", "warn", "error"] as const;

/** Without one, what is wrong is seen all the same; what is as it should be, only by whoever asks for it. */
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

/** Ours for theirs: of all that pino's can do, what we use. */
function toLogger(log: Log): Logger {
  const write = (level: (typeof LEVELS)[number]) => (about: object | string, message?: string) => {
    if (typeof about === "string") log[level]({}, about);
    else log[level](about, message ?? "");
  };
  const used = {
    ...{ info: write("info"), warn: write("warn"), error: write("error") },
    child: (bindings: object) => (log.child ? toLogger(log.child(bindings)) : toLogger(log)),
  };
  return used as unknown as Logger;
}
