import { createClient } from "curfew/browser";

/** One for the whole app: it keeps the tokens and refreshes them. */
export const client = createClient({ url: "/api/auth", storage: localStorage });
