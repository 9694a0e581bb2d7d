/** Who an app signed in itself, with `openSession`, may have no `email`. */
export type User = { id: string; email: string | null; roles: string[] };

/** What the service answers who logs in or refreshes. By cookie, the tokens aren't in it. */
export type Tokens = { access_token?: string; refresh_token?: string; expires_in: number; user: User };

/** What the service says of a request that it refuses; empty if the answer isn't the service's. */
export type Problem = { code?: string; message?: string; reason?: string; details?: unknown };

/** Why something did not succeed. */
export type Failure = Error & {
  /** The service's code; `offline` if no answer came, `unexpected` if it wasn't the service's. */
  code: string;
  /** Whether the same may succeed later. */
  retry: boolean;
  /** What is wrong with the input: `[{path, message}]`, where the code is `invalid_request`. */
  details?: unknown;
};

/** So that one call that gets no answer doesn't hold up the others for ever. */
const TIMEOUT_MS = 10_000;

/** What an answer says in JSON; empty if it says nothing. */
export const bodyOf = <T>(response: Response): Promise<Partial<T>> =>
  response
    .clone()
    .json()
    .then(
      (body) => (body ?? {}) as Partial<T>,
      () => ({}),
    );

export const problemOf = (response: Response) => bodyOf<Problem>(response);

/** Undefined if it isn't the service's: something in between may answer anything with a 200. */
export async function tokensOf(response: Response): Promise<Tokens | undefined> {
  const body = await bodyOf<Tokens>(response);
  return response.ok && body.user ? (body as Tokens) : undefined;
}

const failureOf = ({ message, code = "unexpected", details }: Problem, retry: boolean): Failure =>
  Object.assign(new Error(message ?? code), { code, retry, details });

export const refused = async (response: Response) =>
  failureOf(await problemOf(response), response.status === 429 || response.status >= 500);

/** Rejects as `fetch` does if no answer comes. It goes on when the page is left, and follows no redirect. */
export const post = (
  url: string,
  body: object,
  token: string | undefined,
  credentials: "include" | "same-origin",
) =>
  fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
    credentials,
    redirect: "error",
    keepalive: true,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });

export const offline = (error: unknown): never => {
  throw failureOf({ code: "offline", message: String(error) }, true);
};
