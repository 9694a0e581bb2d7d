import { Router, type Request, type RequestHandler, type Response } from "express";
import type { z } from "zod";
import { CurfewError, type ErrorCode } from "../errors";
import { readBody } from "./request/body";
import { readParameters } from "./request/parameters";
import { nameRoute } from "./request/request-log";
import { step, type Security, type Step } from "./request/step";

type Method = "get" | "post" | "delete" | "all";

/** `headers` says of each what it holds. */
export type SuccessAnswer = { description: string; headers?: Record<string, string>; schema?: z.ZodType };

/** What a route does, and what is said of it in the API's description. */
export type Endpoint = {
  readonly summary: string;
  readonly body: z.ZodType | undefined;
  /** What may stand behind the path's question mark. Left out, nobody looks. */
  readonly query: z.ZodObject | undefined;
  readonly answers: Readonly<Record<number, SuccessAnswer>>;
  readonly errors: readonly ErrorCode[];
  /** Which credentials it judges itself. */
  readonly security: Security | undefined;
  readonly handler: RequestHandler;
};

/** A row of the route table. */
export type Route = readonly [method: Method, path: string, ...steps: Step[], endpoint: Endpoint];

/** An endpoint: its input is parsed, it makes one call, it answers. */
export function endpoint<Body = undefined, Query = undefined>(options: {
  summary: string;
  body?: z.ZodType<Body>;
  query?: z.ZodObject & z.ZodType<Query>;
  answers: Record<number, SuccessAnswer>;
  errors?: ErrorCode[];
  security?: Security;
  handle: (req: Request, res: Response, body: Body, query: Query) => Promise<void> | void;
}): Endpoint {
  const { summary, body, query, answers, errors = [], security, handle } = options;
  const bodyOf = (req: Request) => (body ? readBody(body, req.body) : (undefined as Body));
  const queryOf = (req: Request) => (query ? readParameters(query, req.query) : (undefined as Query));
  return {
    summary,
    body,
    query,
    answers,
    errors: body || query ? ["invalid_request", ...errors] : errors,
    security,
    handler: (req, res) => handle(req, res, bodyOf(req), queryOf(req)),
  };
}

/** Refuses a body that the endpoint would refuse, for what stands between the two. */
export const goodBody = ({ body }: Endpoint): Step =>
  step(["invalid_request"], (req, _res, next) => {
    if (body) readBody(body, req.body);
    next();
  });

/**
 * A router for a table of routes. Where a path is known and the method isn't, it answers 405 and says which are. `first`
 * runs before anything else where the path is one of ours, and nowhere else.
 */
export function createRouter(routes: readonly Route[], first: readonly RequestHandler[] = []): Router {
  const router = Router();
  for (const path of new Set(routes.map(([, path]) => path))) {
    const here = routes.filter((route) => route[1] === path);
    const route = router.route(path);
    route.all(nameRoute(path), ...first);
    for (const row of here) route[row[0]](...handlersOf(row));
    route.all(refuseMethod(here.map(([method]) => method.toUpperCase())));
  }
  return router;
}

export const stepsOf = (route: Route) => route.slice(2, -1) as Step[];
export const endpointOf = (route: Route) => route.at(-1) as Endpoint;

const handlersOf = (route: Route): RequestHandler[] => [...stepsOf(route), endpointOf(route).handler];

function refuseMethod(methods: string[]): RequestHandler {
  const allow = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  return (_req, res) => {
    res.set("Allow", allow);
    throw new CurfewError("method_not_allowed");
  };
}
