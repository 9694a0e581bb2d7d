import type { RequestHandler } from "express";
import type { ErrorCode } from "../errors";

/** What stands before an endpoint: a guard, a limit, a parser. It says with which errors it may answer. */
export type Step = RequestHandler & { readonly errors: readonly ErrorCode[] };

export const step = (errors: readonly ErrorCode[], handler: RequestHandler): Step =>
  Object.assign(handler, { errors });
