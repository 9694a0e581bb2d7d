import { createPage } from "../answer/page";

/** Anybody may load the page: it is a frontend like any other, and uses the same API. */
export const demo = createPage("demo", "demo.html", "A demo: sign up, sign in, log out");
