import type { Logger } from "pino";
import { CurfewError } from "../errors";
import { logEvent } from "./events";

/** Logs which claim of a token with a good signature was wrong. Every other error is none of its business. */
export function logRule(log: Logger, error: unknown, about: object = {}): void {
  if (!(error instanceof CurfewError) || error.rule === undefined) return;
  logEvent(log, "token refused", { ...about, code: error.code, rule: error.rule });
}
