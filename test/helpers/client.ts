import { randomUUID } from "node:crypto";

/** An answer, its body read and parsed. */
export type Answer = { status: number; headers: Headers; body: unknown };

export type Tokens = {
  access_token: string;
  expires_in: number;
  refresh_token: string;
  refresh_expires_in: number;
  user: { id: string; email: string; roles: string[] };
};

type Options = { token?: string; body?: unknown; form?: string; headers?: Record<string, string> };

/** One request, as a frontend would send it in JSON, or a client as a form. */
export async function call(
  url: string,
  method: string,
  path: string,
  options: Options = {},
): Promise<Answer> {
  const { token, body, form, headers } = options;
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...(form !== undefined && { "Content-Type": "application/x-www-form-urlencoded" }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(form !== undefined && { body: form }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? undefined : (JSON.parse(text) as unknown),
  };
}

export const PASSWORD = "an unlikely passphrase";

export async function register(url: string, email = `${randomUUID()}@example.com`): Promise<Tokens> {
  const answer = await call(url, "POST", "/api/auth/register", { body: { email, password: PASSWORD } });
  expect(answer.status).toBe(201);
  return answer.body as Tokens;
}

export async function login(url: string, email: string, password = PASSWORD): Promise<Tokens> {
  const answer = await call(url, "POST", "/api/auth/login", { body: { email, password } });
  expect(answer.status).toBe(200);
  return answer.body as Tokens;
}

export const me = (url: string, token: string) => call(url, "GET", "/api/users/me", { token });

export const refresh = (url: string, refreshToken: string) =>
  call(url, "POST", "/api/auth/refresh", { body: { refresh_token: refreshToken } });

/** Without an access token, `body` has the refresh token. */
export const logout = (url: string, token: string | undefined, body?: object) =>
  call(url, "POST", "/api/auth/logout", { ...(token !== undefined && { token }), ...(body && { body }) });

/** Checks the whole of a refusal: status, code, challenge, and that nothing else is said. */
export function expectRefusal(answer: Answer, status: number, code: string, scheme = "Bearer"): void {
  expect(answer.body).toMatchObject({ code });
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
  expect(answer.headers.get("x-request-id")).toBeTruthy();
  const challenge = answer.headers.get("www-authenticate");
  if (status !== 401) expect(challenge).toBeNull();
  else if (["token_invalid", "token_expired", "token_revoked"].includes(code)) {
    expect(challenge).toBe('Bearer realm="curfew", error="invalid_token"');
  } else expect(challenge).toBe(`${scheme} realm="curfew"`);
  expect(answer.headers.get("retry-after")).toBe(status === 503 ? "1" : null);
}

/** Waits until a condition holds, checking again and again; fails after ten seconds. */
export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("it did not come true within ten seconds");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The first answer that isn't a 503: while Redis fails over, those are right, and may come more than once. */
export async function settled(ask: () => Promise<Answer>): Promise<Answer> {
  let answer = await ask();
  await eventually(async () => {
    if (answer.status === 503) answer = await ask();
    return answer.status !== 503;
  });
  return answer;
}

export const untilReady = (url: string) =>
  eventually(async () => (await call(url, "GET", "/readyz")).status === 200);
