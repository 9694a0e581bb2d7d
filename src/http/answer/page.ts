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
    handle(req, res) {
      pagePolicy(req, res, () => {
        res.sendFile(file, { root: WEB, acceptRanges: false });
      });
    },
  });

/** The files in a folder, which pages load. `/shared` has those of all pages. */
export const createPageFiles = (folder: string): RequestHandler =>
  serveFiles(join(WEB, folder), { index: false, redirect: false, acceptRanges: false });
