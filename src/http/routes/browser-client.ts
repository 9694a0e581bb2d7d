import { join } from "node:path";
import { endpoint } from "../router";

const FOLDER = join(__dirname, "../../browser");
const FRESH_SECONDS = 300;

/** The client for frontends, for pages that have no bundler to import `curfew/browser` with. */
export const browserClient = endpoint({
  summary: "The client for browsers, an ES module",
  answers: { 200: { description: "A module that exports `createClient`", mediaType: "text/javascript" } },
  handle(_req, res) {
    res.sendFile("curfew.js", {
      root: FOLDER,
      acceptRanges: false,
      maxAge: FRESH_SECONDS * 1000,
    });
  },
});
