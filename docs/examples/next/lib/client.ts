import { createClient, type Client } from "curfew/browser";

let made: Client | undefined;

/** Made when it is first used, in the browser: client components are rendered on the server too. */
export const client = () => (made ??= createClient({ url: "/api/auth", transport: "cookie" }));
