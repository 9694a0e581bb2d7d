import type { NextRequest } from "next/server";
import { CURFEW_URL } from "../../../lib/curfew";

/** On the way to a page whose token has expired: refreshes it here, because the refresh cookie is sent to /api only. */
export async function GET(request: NextRequest) {
  const to = request.nextUrl.searchParams.get("to") ?? "/";
  const headers = { cookie: request.headers.get("cookie") ?? "" };
  const response = await fetch(`${CURFEW_URL}/api/auth/refresh`, { method: "POST", headers });
  if (!response.ok && response.status !== 401)
    return new Response("Please try again in a moment.", { status: 503 });
  // Never to another site.
  const location = response.ok && /^\/(?![/\\])/.test(to) ? to : "/sign-in";
  const answer = new Response(null, { status: 307, headers: { location, "Cache-Control": "no-store" } });
  for (const cookie of response.headers.getSetCookie()) answer.headers.append("Set-Cookie", cookie);
  return answer;
}
