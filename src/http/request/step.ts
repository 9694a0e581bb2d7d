import type { Request, RequestHandler, Response } from "express";
import type { ErrorCode } from "../../errors";

/** What a route is called with: an access token, one or a refresh token, or a client's id and secret. */
export type Security = "token" | "any token" | "client";

/**
 * What stands before an endpoint: a guard, a limit, a parser. It says with which errors it may answer and, if it is a guard,
 * which credentials it requires.
 */
export type Step = RequestHandler & {
  readonly errors: readonly ErrorCode[];
  readonly security: Security | undefined;
};

export const step = (errors: readonly ErrorCode[], handler: RequestHandler, security?: Security): Step =>
  Object.assign(handler, { errors, security });

/** Runs a step from within an endpoint, for what can't be judged earlier. Rejects with what the step refuses. */
export const runStep = (which: Step, req: Request, res: Response): Promise<void> =>
  new Promise((resolve, reject) => {
    which(req, res, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : new TypeError("A step threw what is no error."));
    });
  });
