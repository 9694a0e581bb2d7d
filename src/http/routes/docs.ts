import { z } from "zod";
import { createOpenApi, type RouteTable } from "../answer/openapi";
import { createPage } from "../answer/page";
import { endpoint } from "../router";

/** The tables are given as a function, because this endpoint is itself in one of them. */
export function createDescription(tables: () => readonly RouteTable[], accessCookie: string) {
  let description: object | undefined;
  return endpoint({
    name: "openapi",
    summary: "This description, in OpenAPI 3.1",
    answers: { 200: { description: "An OpenAPI document", schema: z.looseObject({ openapi: z.string() }) } },
    handle(_req, res) {
      res.json((description ??= createOpenApi(tables(), accessCookie)));
    },
  });
}

export const docs = createPage("docs", "docs.html", "A page to read this description and to try it");
