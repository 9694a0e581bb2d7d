import { NextResponse, type NextRequest } from "next/server";
import { CURFEW_URL, verify } from "./lib/curfew";

export const config = { matcher: ["/api/auth/:path*", "/api/users/:path*", "/account/:path*"] };

export async function proxy(request: NextRequest) {
  const { pathname, search } = request.nextUrl;
  // On the page's own origin, so that its cookies are the page's own.
  if (pathname.startsWith("/api/")) return NextResponse.rewrite(new URL(pathname + search, CURFEW_URL));

  const response = await verify(request).catch(() => undefined);
  if (response?.ok) return NextResponse.next();
  if (response?.status !== 401) return new NextResponse("Please try again in a moment.", { status: 503 });
  const { code } = await response.json();
  const there =
    code === "token_expired" ? `/api/resume?to=${encodeURIComponent(pathname + search)}` : "/sign-in";
  return NextResponse.redirect(new URL(there, request.url));
}
