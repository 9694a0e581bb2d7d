// A client whose types are made from Curfew's description of its API. To make them, from a Curfew that runs:
//   npx openapi-typescript http://localhost:3000/openapi.json -o curfew-api.d.ts
import createClient from "openapi-fetch";
import type { paths } from "./curfew-api.js";

const curfew = createClient<paths>({ baseUrl: process.env["CURFEW_URL"] ?? "http://localhost:3000" });

const registered = await curfew.POST("/api/auth/register", {
  body: { email: `${crypto.randomUUID()}@example.com`, password: "a long enough passphrase" },
});
// Node itself refuses headers that are too large, with no body.
if (!registered.data) throw new Error(registered.error?.message ?? String(registered.response.status));
const { access_token, user } = registered.data;
const headers = { Authorization: `Bearer ${access_token}` };

const me = await curfew.GET("/api/users/me", { headers });
console.log(`I am ${me.data?.id}, with the roles [${user.roles.join()}].`);

const loggedOut = await curfew.POST("/api/auth/logout", { headers, body: { all_devices: true } });
console.log(loggedOut.data?.message);

const after = await curfew.GET("/api/users/me", { headers });
if (after.error?.code === "token_revoked") console.log(`Refused: ${after.error.reason}`);
