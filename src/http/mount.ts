import { Router, type ErrorRequestHandler, type Request, type RequestHandler, type Response } from "express";
import type { Core } from "../core";
import { claimsOf, isToken, type Token } from "../auth/tokens";
import { createAuthTable, type AuthTableOptions, type LogoutAnswer } from "./table";
import { assertHasRole } from "./guard";
import { createErrorHandler } from "./answer/error-handler";
import type { Guard, Middleware } from "./middleware";
import { neverCached } from "./answer/never-cached";
import { createBudget } from "./request/budget";
import { giveRequestId } from "./request/request-log";
import { createOpenSession, type OpenSession } from "./open-session";
import { createRouter, type Route } from "./router";
import type { Settings } from "../settings/table";

export type MountOptions = AuthTableOptions &
  Pick<Settings, "timeoutMs"> & { issuers: readonly { name: string }[] };

export type RoutesOptions = {
  /** How a successful logout is answered: `"json"` is 200 with JSON, the default; `"no-content"` is 204. */
  answerLogoutWith?: LogoutAnswer | undefined;
  /** Which routes there are, by the first word of their paths. Left out, all. */
  only?: readonly RouteName[] | undefined;
};

const ROUTE_NAMES = ["register", "login", "refresh", "logout", "sessions", "password", "verify"] as const;
const ROUTES_WITHOUT_ACCOUNTS = ["logout", "verify"] as const;
type RouteName = (typeof ROUTE_NAMES)[number];

export type TokenRequirement = {
  /** A role that the token must have. */
  role?: string;
  /** Roles, of which the token must have at least one. */
  roles?: readonly string[];
};

export type Mount = {
  routes(options?: RoutesOptions): Middleware;
  requireToken(requirement?: TokenRequirement): Guard;
  openSession: OpenSession;
};

/** What apps mount: Curfew's routes, and a guard for their own. Both answer refusals themselves, not the app. */
export function createMount(core: Core, options: MountOptions): Mount {
  const { authRoutes, verifyRoute, check, cookies, tell } = createAuthTable(core, options);
  const handleError = createErrorHandler(core.log, tell, core.alarms);
  const budget = createBudget(options.timeoutMs);

  const noteMount: RequestHandler = (req, _res, next) => {
    cookies.reached(req);
    next();
  };

  function admit(
    req: Request,
    res: Response,
    next: (error?: unknown) => void,
    roles: readonly string[] | undefined,
  ): void {
    function refused(error: unknown): void {
      refuse(error, req, res, next, handleError);
    }
    function accepted(token: Token): void {
      try {
        if (roles) assertHasRole(token, roles);
        req.auth = claimsOf(token);
      } catch (error) {
        refused(error);
        return;
      }
      next();
    }
    let checked;
    try {
      checked = check(req);
    } catch (error) {
      refused(error);
      return;
    }
    if (isToken(checked)) accepted(checked);
    else void checked.then(accepted, refused);
  }

  const names = options.hasAccounts === false ? ROUTES_WITHOUT_ACCOUNTS : ROUTE_NAMES;
  const issuers = options.issuers.map(({ name }) => name);

  return {
    openSession:
      options.hasAccounts === false
        ? () => Promise.reject(new TypeError("With accounts: false there are no sessions of Curfew's own."))
        : createOpenSession({ auth: core.auth, cookies, tell, timeoutMs: options.timeoutMs, issuers }),

    routes(...given) {
      const { answerLogoutWith = "json", only = names } = readRoutesOptions(given, names);
      const isThere = ([, path]: Route) => only.some((name) => new RegExp(`^/${name}\\b`).test(path));
      const tables = [verifyRoute, ...authRoutes(answerLogoutWith)].filter(isThere);
      const first = [giveRequestId, neverCached, noteMount, budget];
      const router = Router().use(createRouter(tables, first), handleError);
      return router as unknown as Middleware;
    },

    requireToken(...given) {
      const roles = readRequirement(given);
      const guard: RequestHandler = function requiresToken(req, res, next) {
        admit(req, res, next, roles);
      };
      return guard as unknown as Guard;
    },
  };
}

/** Express 4 doesn't catch what an async middleware throws, and an app's error handler may let the request through. */
function refuse(
  error: unknown,
  req: Request,
  res: Response,
  next: (error: unknown) => void,
  handleError: ErrorRequestHandler,
): void {
  if (!res.headersSent) {
    giveRequestId(req, res, () => undefined);
    neverCached(req, res, () => undefined);
  }
  handleError(error, req, res, next);
}

/** Throws a TypeError for unknown options, and if it was passed to Express uncalled: then its options are a request. */
function readOptions<Name extends string>(
  [options = {}, ...rest]: readonly unknown[],
  names: readonly Name[],
  write: string,
): Partial<Record<Name, unknown>> {
  const isPlain =
    typeof options === "object" && options !== null && Object.getPrototypeOf(options) === Object.prototype;
  if (
    !isPlain ||
    rest.length > 0 ||
    Object.keys(options).some((name) => !names.some((each) => each === name))
  ) {
    throw new TypeError(`Write ${write}.`);
  }
  return options;
}

function readRoutesOptions(given: readonly unknown[], names: readonly RouteName[]): RoutesOptions {
  const write = 'curfew.routes() or curfew.routes({ answerLogoutWith: "no-content" }), with the call';
  const { answerLogoutWith = "json", only = names } = readOptions(given, ["answerLogoutWith", "only"], write);
  if (answerLogoutWith !== "json" && answerLogoutWith !== "no-content")
    throw new TypeError(`Write ${write}.`);
  if (!areRouteNames(only, names))
    throw new TypeError(`Write curfew.routes({ only: [...] }) with some of ${names.join(", ")}.`);
  return { answerLogoutWith, only };
}

const areRouteNames = (value: unknown, names: readonly RouteName[]): value is RouteName[] =>
  Array.isArray(value) && value.length > 0 && value.every((each) => names.some((name) => name === each));

/** Returns the roles of which one is needed; undefined if none is. A role that is given as undefined is a mistake. */
function readRequirement(given: readonly unknown[]): readonly string[] | undefined {
  const write =
    'curfew.requireToken(), curfew.requireToken({ role: "analyst" }) or curfew.requireToken({ roles: ["analyst", "editor"] }), with the call';
  const requirement = readOptions(given, ["role", "roles"], write);
  const [name, another] = Object.keys(requirement);
  if (name === undefined) return undefined;
  const list: unknown = name === "role" ? [requirement.role] : requirement.roles;
  const areRoles =
    Array.isArray(list) && list.length > 0 && list.every((each) => typeof each === "string" && each !== "");
  if (!areRoles || another !== undefined) throw new TypeError(`Write ${write}.`);
  return [...(list as string[])];
}
