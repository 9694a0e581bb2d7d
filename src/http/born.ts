import { IncomingMessage, ServerResponse } from "node:http";
import type { Express } from "express";

/** The classes of an app's requests and answers, for the server that makes them. */
export type Classes = { IncomingMessage: typeof IncomingMessage; ServerResponse: typeof ServerResponse };

/**
 * Express changes the prototype of each request and of its answer, and from then on everything that is done with them
 * is slow: that costs more than all the rest of a check. It changes nothing in those that are born with the prototype.
 */
export function createClasses(app: Express): Classes {
  class Request extends IncomingMessage {}
  class Answer<Of extends IncomingMessage> extends ServerResponse<Of> {}
  Object.setPrototypeOf(Request.prototype, app.request);
  Object.setPrototypeOf(Answer.prototype, app.response);
  app.request = Request.prototype as typeof app.request;
  app.response = Answer.prototype as typeof app.response;
  return { IncomingMessage: Request, ServerResponse: Answer };
}
