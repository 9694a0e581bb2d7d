import type { IncomingMessage, ServerResponse } from "node:http";
import type { Claims } from "../auth/tokens";

/** A middleware as Express 4 and 5 take it, in types that need neither. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- the types of Express 4 and 5 both take additions here
  namespace Express {
    // eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- only an interface can be added to
    interface Request {
      /** The caller's verified claims, behind requireToken(). */
      auth?: Claims;
    }
  }
}
