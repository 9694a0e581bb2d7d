import { createLock, ownOrigin, toUrl } from "./page.js";
import { createReplay } from "./replay.js";
import { offline, post, problemOf, refused, type Tokens, type User } from "./service.js";
import { createSession, type Held, type SignedOut, type Store } from "./session.js";

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
  const key = `curfew:${base}`;
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
      if (!response.ok) throw await refused(response);
      const tokens = (await response.json()) as Tokens;
      session.adopt(tokens);
      return tokens.user;
    });

  /** Resolves to the service's refusal, or to undefined: then somebody has refreshed, or signed out. */
  const refreshNow = (held: Held | undefined) =>
    locked(async () => {
      const now = session.current();
      if (now?.access !== held?.access) return undefined;
      if (now) session.markDue(now);
      const response = await call("refresh", { refresh_token: now?.refresh });
      if (response.ok) {
        const tokens = (await response.json()) as Tokens;
        // Without locks, a logout may have been faster.
        if (session.current()?.tag === now?.tag) session.adopt(tokens, now?.tag);
        return undefined;
      }
      if (response.status === 401) {
        const { code, reason = code === "refresh_token_reused" ? "refresh_reused" : "expired" } =
          await problemOf(response);
        session.end(now, { reason, here: false });
      }
      return response;
    });

  let refreshing: Promise<Response | undefined> | undefined;
  async function refresh(held: Held | undefined): Promise<Response | undefined> {
    refreshing ??= refreshNow(held).finally(() => (refreshing = undefined));
    return (await refreshing)?.clone();
  }

  function withToken(request: Request, held: Held | undefined): Request {
    if (isCookie)
      return new URL(request.url).origin === ownOrigin()
        ? request
        : new Request(request, { credentials: "include" });
    if (held) request.headers.set("Authorization", `Bearer ${held.access}`);
    return request;
  }

  /** Whether to send a refused request again: its token was not the last one, or is now refreshed. */
  async function isWorthAnother(
    response: Response,
    held: Held | undefined,
    mayRefresh: boolean,
  ): Promise<Response | boolean> {
    const { code = "", reason = "expired" } = await problemOf(response);
    const isLatest = session.current()?.access === held?.access;
    if (isLatest && mayRefresh && (code === "token_expired" || code === "token_invalid")) {
      const refusal = await refresh(held);
      if (refusal) return refusal;
    } else if (
      isLatest &&
      (code === "token_revoked" || (code === "token_missing" && isCookie && held?.user))
    ) {
      session.end(held, { reason, here: false });
    }
    const now = session.current();
    return code.startsWith("token_") && now !== undefined && now.access !== held?.access;
  }

  async function send(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    const make = createReplay(input, init);
    const request = make();
    if (!isAllowed(request.url) || request.headers.has("Authorization")) return fetch(request);
    const held = session.current();
    if (held && session.isDue(held)) {
      const refusal = await refresh(held).catch(() => undefined);
      if (refusal?.status === 401) return refusal;
    }
    for (let next = request, isFirst = true; ; next = make(), isFirst = false) {
      const held = session.current();
      const response = await fetch(withToken(next, held));
      // Where a redirect led, anybody may say anything.
      const isOurs = isAllowed(response.url || request.url);
      if (isOurs && response.ok && response.url === `${base}/password`)
        session.adopt((await response.clone().json()) as Tokens);
      if (!isOurs || response.status !== 401 || !(held || isCookie)) return response;
      const another = await isWorthAnother(response, held, isFirst);
      if (another instanceof Response) return another;
      if (!another || !isFirst) return response;
    }
  }

  const logout: Client["logout"] = ({ allDevices = false } = {}) =>
    locked(async () => {
      const held = session.current();
      if (!held && !isCookie) return;
      const body = { refresh_token: held?.refresh, ...(allDevices && { all_devices: true }) };
      const response = await call("logout", body, isCookie ? undefined : held?.access).catch(offline);
      const { ok, status } = response;
      // A 401 means that there is nothing to end. But then nothing can be said of the other devices.
      const isDone = ok || (status === 401 && !allDevices);
      if (isDone)
        session.end(held, { reason: allDevices ? "logout_all_devices" : "logout", here: true }, allDevices);
      else if (status === 401) {
        const { reason = "expired" } = await problemOf(response);
        session.end(held, { reason, here: true });
      }
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
    fetch: send,
    logout,
    onSignedOut(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
