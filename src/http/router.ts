import { Router, type Request, type RequestHandler, type Response } from "express";
import type { z } from "zod";
import { CurfewError, type ErrorCode } from "../errors";
import { readBody } from "./request/body";
import { readParameters } from "./request/parameters";
import { nameRoute } from "./request/request-log";
import { step, type Security, type Step } from "./request/step";

type Method = "get" | "post" | "delete" | "all";

/** `headers` describes each header. A body is JSON unless `mediaType` says otherwise. */
export type SuccessAnswer = {
  description: string;
  headers?: Record<string, string>;
  mediaType?: string;
  schema?: z.ZodType;
};

/** What a route does, and how OpenAPI describes it. */
export type Endpoint = {
  /** What generated clients call it: OpenAPI's operationId. */
  readonly name: string;
  readonly summary: string;
  readonly body: z.ZodType | undefined;
  /** What may stand behind the path's question mark. Left out, nobody looks. */
  readonly query: z.ZodObject | undefined;
  readonly answers: Readonly<Record<number, SuccessAnswer>>;
  readonly errors: readonly ErrorCode[];
  /** Which credentials it checks itself, without a guard. */
  readonly security: Security | undefined;
  readonly handler: RequestHandler;
};

/** A row of the route table. */
export type Route = readonly [method: Method, path: string, ...steps: Step[], endpoint: Endpoint];

/** An endpoint parses its input, makes one call and answers. */
export function endpoint<Body = undefined, Query = undefined>(options: {
  name: string;
  summary: string;
  body?: z.ZodType<Body>;
  query?: z.ZodObject & z.ZodType<Query>;
  answers: Record<number, SuccessAnswer>;
  errors?: ErrorCode[];
  security?: Security;
  handle: (req: Request, res: Response, body: Body, query: Query) => Promise<void> | void;
}): Endpoint {
  const { name, summary, body, query, answers, errors = [], security, handle } = options;
  const bodyOf = (req: Request) => (body ? readBody(body, req.body) : (undefined as Body));
  const queryOf = (req: Request) => (query ? readParameters(query, req.query) : (undefined as Query));
  return {
    name,
    summary,
    body,
    query,
    answers,
    errors: body || query ? ["invalid_request", ...errors] : errors,
    security,
    handler: (req, res) => handle(req, res, bodyOf(req), queryOf(req)),
  };
}

/** Refuses an invalid body before the steps between this one and the endpoint, such as limits, run. */
export const goodBody = ({ body }: Endpoint): Step =>
  step(["invalid_request"], (req, _res, next) => {
    if (body) readBody(body, req.body);
    next();
  });

/**
 * Creates a router for a table of routes. It answers a known path with an unknown method with 405 and the allowed
 * methods. `first` runs before everything else, but only for paths in the table.
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
