import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestHandler } from "express";

type Handler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** Does for every answer what a middleware does that sets the same headers each time, without running it each time. */
export function constantHeaders(middleware: Handler): RequestHandler {
  const headers: [string, string][] = [];
  const outcome: unknown[] = [];
  const answer = {
    setHeader: (name: string, value: string) => headers.push([name, value]),
    removeHeader: () => undefined,
  };
  middleware(Object.create(null) as IncomingMessage, answer as unknown as ServerResponse, (error) => {
    outcome.push(error);
  });
  if (outcome.length !== 1 || outcome[0] !== undefined)
    throw new TypeError("This middleware doesn't just set headers.");
  return function setConstantHeaders(_req, res, next) {
    for (const [name, value] of headers) res.setHeader(name, value);
    next();
  };
}
