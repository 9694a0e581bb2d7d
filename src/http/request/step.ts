import type { Request, RequestHandler, Response } from "express";
import type { ErrorCode } from "../../errors";

/** What a route requires: an access token, an access or a refresh token, or a client's id and secret. */
export type Security = "token" | "any token" | "client";

/**
 * What runs before an endpoint: a guard, a limit or a parser. It lists the errors that it may answer with and, if it is
 * a guard, the credentials that it requires.
 */
export type Step = RequestHandler & {
  readonly errors: readonly ErrorCode[];
  readonly security: Security | undefined;
};

export const step = (errors: readonly ErrorCode[], handler: RequestHandler, security?: Security): Step =>
  Object.assign(handler, { errors, security });

/** Runs a step from within an endpoint, if it can't be run earlier. Rejects with the step's refusal. */
export const runStep = (which: Step, req: Request, res: Response): Promise<void> =>
  new Promise((resolve, reject) => {
    which(req, res, (error?: unknown) => {
      if (error === undefined) resolve();
      else
        reject(
          error instanceof Error ? error : new TypeError("A step passed on something that isn't an Error."),
        );
    });
  });
