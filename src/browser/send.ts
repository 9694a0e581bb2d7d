import { ownOrigin } from "./page.js";
import type { Refresh } from "./refresh.js";
import { createReplay } from "./replay.js";
import { problemOf, tokensOf } from "./service.js";
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
    if (isLatest && mayRefresh && mayRefreshHelp(code, held)) {
      const refusal = await refresh(held);
      if (refusal) return refusal;
    }
    if (isLatest && code === "token_revoked") session.end(held, { reason, here: false });
    const now = session.current();
    // What one user asked for isn't asked as another who has signed in since.
    const isSameUser = !held?.user || held.user.id === now?.user?.id;
    return code.startsWith("token_") && now !== undefined && now.access !== held?.access && isSameUser;
  }

  /** A cookie may be missing because of how the request was sent. Only the service can say that the session is over. */
  const mayRefreshHelp = (code: string, held: Held | undefined) =>
    code === "token_expired" ||
    code === "token_invalid" ||
    (code === "token_missing" && isCookie && held?.user !== undefined);

  /** What is said where a redirect led isn't believed. */
  const isRefused = (response: Response, request: Request, held: Held | undefined) =>
    response.status === 401 && (isCookie || held !== undefined) && isAllowed(response.url || request.url);

  /** The answer, and whether the request is worth sending once more, or the answer to give instead. */
  async function attempt(request: Request, mayRefresh: boolean): Promise<[Response, boolean | Response]> {
    const held = session.current();
    const response = await fetch(withToken(request, held));
    // The session that the old password began has ended, and another has begun.
    const tokens = response.url === passwordUrl && (await tokensOf(response));
    if (tokens) session.adopt(tokens);
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
