/* eslint-disable @typescript-eslint/consistent-type-definitions, @typescript-eslint/no-namespace, @typescript-eslint/no-empty-object-type, @typescript-eslint/prefer-function-type -- types of Express 4 and 5 are added to, which takes interfaces in namespaces */
/* eslint-disable @typescript-eslint/no-explicit-any -- only `any` gives way to every other type */
/* eslint-disable @typescript-eslint/ban-ts-comment -- nothing is wrong here, so that @ts-expect-error would be; where the package is used, something may be */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Claims } from "../auth/tokens";

/** A middleware as Express 4 and 5 take it, in types that need neither. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

declare const SETS_AUTH: unique symbol;

/** What requireToken() makes. In handlers behind it in the same call, as in `app.get(path, guard, handler)`, `req.auth` is there. */
export type Guard = Middleware & { readonly [SETS_AUTH]: true };

type HandlerOf<Req, Res, Next> = (req: Req, res: Res, next: Next) => unknown;

/** A request behind the guard. */
export type Guarded<Req> = Omit<Req, "auth"> & { auth: Claims };

/**
 * What Express's types know of `req.auth` everywhere else. Other packages declare it too, each with another type. As a
 * base's property that may be anything, this one gives way to theirs; a second declaration would be an error (TS2717).
 */
interface MayBeGuarded {
  auth?: any;
}

declare global {
  namespace Express {
    interface Request extends MayBeGuarded {}
  }
}

/** @ts-ignore -- without Express's types, or where a package manager hides them from this one, there is no such module */
declare module "express-serve-static-core" {
  interface IRouterMatcher<T> {
    /** @ts-ignore -- and then these types, which are that module's own, aren't there either */
    <Path extends string, P = RouteParameters<Path>>(
      path: Path,
      guard: Guard,
      ...handlers: HandlerOf<Guarded<Request<P>>, Response, NextFunction>[]
    ): T;
  }
}
