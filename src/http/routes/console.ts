import { createPage } from "../answer/page";

/** Anybody may load the page: it has no data. What it shows comes from `/api/ops`, which checks who is asking. */
export const opsConsole = createPage(
  "console",
  "console.html",
  "A page for ops staff: find, explain, revoke, lift",
);
