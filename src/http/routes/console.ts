import { createPage, createPageFiles } from "../answer/page";

/** The page has no data of its own: everything that it shows comes from `/api/ops`, which wants to know who asks. */
export const opsConsole = createPage("console.html", "A page for ops staff: find, explain, revoke, lift");

export const opsConsoleFiles = createPageFiles("ops");
