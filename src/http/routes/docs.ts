import { join } from "node:path";
import { static as serveFiles, type RequestHandler } from "express";
import helmet from "helmet";
import { z } from "zod";
import { createOpenApi, type RouteTable } from "../answer/openapi";
import { endpoint } from "../router";

const WEB = join(__dirname, "../../web");

/** A policy for pages: they load from, and talk to, this service only. */
const pagePolicy = helmet.contentSecurityPolicy({
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
});

/** The tables are given as a function, because this endpoint is itself in one of them. */
export function createDescription(tables: () => readonly RouteTable[], accessCookie: string) {
  let description: object | undefined;
  return endpoint({
    summary: "This description, in OpenAPI 3.1",
    answers: { 200: { description: "An OpenAPI document", schema: z.looseObject({ openapi: z.string() }) } },
    handle(_req, res) {
      res.json((description ??= createOpenApi(tables(), accessCookie)));
    },
  });
}

export const docs = endpoint({
  summary: "A page to read this description and to try it",
  answers: { 200: { description: "A page" } },
  handle(_req, res) {
    res.sendFile("docs.html", { root: WEB, acceptRanges: false });
  },
});

export const docsFiles: RequestHandler[] = [
  pagePolicy,
  serveFiles(join(WEB, "docs"), { index: false, redirect: false, acceptRanges: false }),
];
