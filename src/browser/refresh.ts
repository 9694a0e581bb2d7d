import { problemOf, tokensOf } from "./service.js";
import type { Held, Session } from "./session.js";

type Parts = {
  session: Session;
  locked: <T>(task: () => Promise<T>) => Promise<T>;
  ask: (body: object) => Promise<Response>;
};

/** Resolves to the service's refusal, or to undefined: then somebody has refreshed, or signed out. */
export type Refresh = (held: Held | undefined) => Promise<Response | undefined>;

/** Refreshes once, however many ask for it, in this tab and in others. */
export function createRefresh({ session, locked, ask }: Parts): Refresh {
  let running: Promise<Response | undefined> | undefined;

  const run = (held: Held | undefined) =>
    locked(async () => {
      const now = session.current();
      if (now?.access !== held?.access) return undefined;
      if (now) session.markDue(now);
      const response = await ask({ refresh_token: now?.refresh });
      if (response.ok) {
        const tokens = await tokensOf(response);
        // Without locks, a logout may have been faster.
        if (tokens && session.current()?.tag === now?.tag) session.adopt(tokens, now?.tag);
        return undefined;
      }
      if (response.status === 401) {
        const { code, reason } = await problemOf(response);
        // There is no cookie, and there was nobody: nothing has ended, and no request must fail because of it.
        if (code === "token_missing" && !now?.user) {
          session.clear();
          return undefined;
        }
        const otherwise = code === "refresh_token_reused" ? "refresh_reused" : "expired";
        // A 401 without a code isn't the service's, but that of something in between.
        if (code) session.end(now, { reason: reason ?? otherwise, here: false });
      }
      return response;
    });

  return async (held) => {
    running ??= run(held).finally(() => (running = undefined));
    return (await running)?.clone();
  };
}
