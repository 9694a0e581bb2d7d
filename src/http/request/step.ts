import type { Request, RequestHandler, Response } from "express";
import type { ErrorCode } from "../../errors";

/** What stands before an endpoint: a guard, a limit, a parser. It says with which errors it may answer. */
export type Step = RequestHandler & { readonly errors: readonly ErrorCode[] };

export const step = (errors: readonly ErrorCode[], handler: RequestHandler): Step =>
  Object.assign(handler, { errors });

/** Runs a step from within an endpoint, for what can't be judged earlier. Rejects with what the step refuses. */
export const runStep = (which: Step, req: Request, res: Response): Promise<void> =>
  new Promise((resolve, reject) => {
    which(req, res, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : new TypeError("A step threw what is no error."));
    });
  });
