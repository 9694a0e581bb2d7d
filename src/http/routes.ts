import { Router, type RequestHandler } from "express";
import { CurfewError } from "../errors";

type Method = "get" | "post" | "delete" | "all";

/** A row of the route table: what is asked, and who answers, guards first. */
export type Route = readonly [method: Method, path: string, ...handlers: RequestHandler[]];

/** A router for a table of routes. Where a path is known and the method isn't, it answers 405 and says which are. */
export function createRouter(routes: Route[]): Router {
  const router = Router();
  for (const path of new Set(routes.map(([, path]) => path))) {
    const here = routes.filter((route) => route[1] === path);
    const route = router.route(path);
    for (const [method, , ...handlers] of here) route[method](...handlers);
    route.all(refuseMethod(here.map(([method]) => method.toUpperCase())));
  }
  return router;
}

function refuseMethod(methods: string[]): RequestHandler {
  const allow = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  return (_req, res) => {
    res.set("Allow", allow);
    throw new CurfewError("method_not_allowed");
  };
}
