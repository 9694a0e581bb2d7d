import { join } from "node:path";
import { static as serveFiles, type RequestHandler } from "express";
import helmet from "helmet";
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

export const createPage = (name: string, file: string, summary: string) =>
  endpoint({
    name,
    summary,
    answers: { 200: { description: "A page" } },
    handle(_req, res) {
      res.sendFile(file, { root: WEB, acceptRanges: false });
    },
  });

/** The files that a page loads: its own, and those that all pages share. */
export const createPageFiles = (folder: string): RequestHandler[] => [
  pagePolicy,
  ...[folder, "shared"].map((each) =>
    serveFiles(join(WEB, each), { index: false, redirect: false, acceptRanges: false }),
  ),
];
