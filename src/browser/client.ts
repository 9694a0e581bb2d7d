import { createLock, ownOrigin, toUrl } from "./page.js";
import { createRefresh } from "./refresh.js";
import { createSend } from "./send.js";
import { bodyOf, offline, post, refused, tokensOf, type Problem, type User } from "./service.js";
import { createSession, type SignedOut, type Store } from "./session.js";

export type { Failure, User } from "./service.js";
export type { SignedOut, Store } from "./session.js";

export type ClientOptions = {
  /** Where Curfew's routes are, `/api/auth` by default. */
  url?: string;
  /** How the tokens travel, `bearer` by default. */
  transport?: "bearer" | "cookie";
  /**
   * Where the session is kept, such as `localStorage`. By default it is kept in memory: it belongs to one tab, and is
   * gone when the page is loaded again. By cookie only the user is kept here, never a token.
   */
  storage?: Store;
  /** Origins that get the token, beside the page's own. */
  origins?: readonly string[];
};

export type Client = {
  /** Who is signed in, as far as this page knows. */
  readonly user: User | undefined;
  /** Opens an account and signs in. Rejects with a `Failure`. */
  register(email: string, password: string): Promise<User>;
  /** Signs in. Rejects with a `Failure`. */
  login(email: string, password: string): Promise<User>;
  /**
   * As `fetch`, with the token if the request goes to the page's own origin or one of `origins`. A token that is about to
   * expire, or has, is refreshed once, in one tab only, and the request is sent once more. If it can't be refreshed, the
   * answer is the one to the refresh.
   */
  fetch: typeof fetch;
  /**
   * Resolves once the service has said that the session has ended, or all of the user's; then nothing of it is left in
   * any tab. Rejects with a `Failure`: with `retry`, nobody is signed out, and the same call may succeed later.
   */
  logout(options?: { allDevices?: boolean }): Promise<void>;
  /**
   * Calls `listener` when the session ends, in every tab once, whoever ended it: `here` if this page did. `reason` is a
   * denylist entry's, or `expired`, also if nobody knows. Returns a function that stops it.
   */
  onSignedOut(listener: (event: SignedOut) => void): () => void;
};

export function createClient(options: ClientOptions = {}): Client {
  const { url = "/api/auth", transport = "bearer", storage, origins = [] } = options;
  const isCookie = transport === "cookie";
  const base = toUrl(url).href.replace(/\/$/, "");
  const key = `curfew${isCookie ? "-cookie" : ""}:${base}`;
  // Left from when the page still kept its tokens itself.
  if (isCookie) storage?.removeItem(`curfew:${base}`);
  const allowed = [ownOrigin(), ...origins.map((each) => new URL(each).origin)];
  const isAllowed = (address: string) => allowed.includes(new URL(address).origin);
  const listeners = new Set<(event: SignedOut) => void>();
  const locked = createLock(key);
  const session = createSession({ key, isCookie, storage }, (event) => {
    for (const listener of listeners)
      queueMicrotask(() => {
        listener(event);
      });
  });

  const call = (path: string, body: object, token?: string) =>
    post(`${base}/${path}`, body, token, isCookie ? "include" : "same-origin");

  const enter = (path: string, email: string, password: string) =>
    locked(async () => {
      const response = await call(path, { email, password, transport }).catch(offline);
      const tokens = await tokensOf(response);
      if (!tokens) throw await refused(response);
      session.adopt(tokens);
      return tokens.user;
    });

  const refresh = createRefresh({ session, locked, ask: (body) => call("refresh", body) });

  const logout: Client["logout"] = ({ allDevices = false } = {}) =>
    locked(async () => {
      const held = session.current();
      if (!held && !isCookie) return;
      const body = { refresh_token: held?.refresh, ...(allDevices && { all_devices: true }) };
      const response = await call("logout", body, isCookie ? undefined : held?.access).catch(offline);
      const { status } = response;
      const { success, code, reason = "expired" } = await bodyOf<Problem & { success: boolean }>(response);
      // What something in between answers has neither `success` nor a code.
      const isRefused = status === 401 && code !== undefined;
      // A 401 means that there is nothing to end. But then nothing can be said of the other devices.
      const isDone = status === 204 || (response.ok && success === true) || (isRefused && !allDevices);
      if (isDone)
        session.end(held, { reason: allDevices ? "logout_all_devices" : "logout", here: true }, allDevices);
      else if (isRefused) session.end(held, { reason, here: true });
      if (!isDone) throw await refused(response);
    });

  const first = session.current();
  // It may have gone to the service: then only a repetition within the grace brings the answer.
  if (first?.isDue) refresh(first).catch(() => undefined);

  return {
    get user() {
      return session.current()?.user;
    },
    register: (email, password) => enter("register", email, password),
    login: (email, password) => enter("login", email, password),
    fetch: createSend({ session, refresh, isCookie, isAllowed, passwordUrl: `${base}/password` }),
    logout,
    onSignedOut(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
