import type { User } from "curfew/browser";
import { headers } from "next/headers";
import { cache } from "react";

export const CURFEW_URL = process.env.CURFEW_URL ?? "http://127.0.0.1:3000";

/** Asks Curfew whose request this is. It is told, too, whose page sent it: a cookie must not serve another site. */
export function verify(request: Request): Promise<Response> {
  const asked = new Headers({ "X-Forwarded-Method": request.method });
  for (const name of ["cookie", "origin", "sec-fetch-site"]) asked.set(name, request.headers.get(name) ?? "");
  return fetch(`${CURFEW_URL}/api/auth/verify`, { headers: asked, cache: "no-store" });
}

/** Who is signed in; undefined if nobody is. For server components; asked once for a page. */
export const currentUser = cache(async (): Promise<User | undefined> => {
  const cookie = (await headers()).get("cookie") ?? "";
  const response = await fetch(`${CURFEW_URL}/api/users/me`, { headers: { cookie }, cache: "no-store" });
  if (response.status === 401) return undefined;
  if (!response.ok) throw new Error(`Curfew answered ${response.status}.`);
  return response.json();
});
