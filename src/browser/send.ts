import { ownOrigin } from "./page.js";
import type { Refresh } from "./refresh.js";
import { createReplay } from "./replay.js";
import { problemOf, type Tokens } from "./service.js";
import type { Held, Session } from "./session.js";

type Parts = {
  session: Session;
  refresh: Refresh;
  isCookie: boolean;
  isAllowed: (url: string) => boolean;
  passwordUrl: string;
};

/** Makes a `fetch` that sends the token along, and sends a request once more after a refresh. */
export function createSend({ session, refresh, isCookie, isAllowed, passwordUrl }: Parts): typeof fetch {
  function withToken(request: Request, held: Held | undefined): Request {
    if (isCookie) {
      const isOwn = new URL(request.url).origin === ownOrigin();
      return isOwn ? request : new Request(request, { credentials: "include" });
    }
    if (held) request.headers.set("Authorization", `Bearer ${held.access}`);
    return request;
  }

  /** Whether the token was not the last one, or is now refreshed; or the answer that stands in the way of that. */
  async function isOutdated(
    response: Response,
    held: Held | undefined,
    mayRefresh: boolean,
  ): Promise<boolean | Response> {
    const { code = "", reason = "expired" } = await problemOf(response);
    const isLatest = session.current()?.access === held?.access;
    if (isLatest && mayRefresh && (code === "token_expired" || code === "token_invalid")) {
      const refusal = await refresh(held);
      if (refusal) return refusal;
    }
    if (isLatest) endIfOver(code, reason, held);
    const now = session.current();
    return code.startsWith("token_") && now !== undefined && now.access !== held?.access;
  }

  /** Without a cookie there is no session; but only where there was one has it ended. */
  function endIfOver(code: string, reason: string, held: Held | undefined): void {
    if (code === "token_revoked" || (code === "token_missing" && isCookie && held?.user))
      session.end(held, { reason, here: false });
  }

  /** What is said where a redirect led isn't believed. */
  const isRefused = (response: Response, request: Request, held: Held | undefined) =>
    response.status === 401 && (isCookie || held !== undefined) && isAllowed(response.url || request.url);

  /** The answer, and whether the request is worth sending once more, or the answer to give instead. */
  async function attempt(request: Request, mayRefresh: boolean): Promise<[Response, boolean | Response]> {
    const held = session.current();
    const response = await fetch(withToken(request, held));
    // The session that the old password began has ended, and another has begun.
    if (response.ok && response.url === passwordUrl) session.adopt((await response.clone().json()) as Tokens);
    if (!isRefused(response, request, held)) return [response, false];
    return [response, await isOutdated(response, held, mayRefresh)];
  }

  return async (...[input, init]) => {
    const make = createReplay(input, init);
    const request = make();
    if (!isAllowed(request.url) || request.headers.has("Authorization")) return fetch(request);
    const held = session.current();
    if (held && session.isDue(held)) {
      const refusal = await refresh(held).catch(() => undefined);
      if (refusal?.status === 401) return refusal;
    }
    const [response, again] = await attempt(request, true);
    if (again instanceof Response) return again;
    return again ? (await attempt(make(), false))[0] : response;
  };
}
