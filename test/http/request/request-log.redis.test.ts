import { randomUUID } from "node:crypto";
import {
  call,
  eventually,
  expectRefusal,
  login,
  logout,
  me,
  refresh,
  register,
  untilReady,
  type Tokens,
} from "../../helpers/client";
import { vary } from "../../helpers/jws";
import { askAsClient, CLIENT, writeClients } from "../../helpers/oauth-client";
import { useRedis } from "../../helpers/redis";
import { SECRET, useService } from "../../helpers/service";

const CANARY = `canary ${randomUUID()}`;
const NEXT = `another canary ${randomUUID()}`;

const redis = useRedis();
const service = useService(() => ({
  REDIS_URL: redis.url,
  LOG_LEVEL: "trace",
  RATE_LIMIT: "on",
  RATE_LIMIT_LOGIN: "9/m",
  OAUTH_CLIENTS_FILE: writeClients(CLIENT),
}));

type Line = { level: number; time: string; msg: string; request_id?: string; event?: string } & Record<
  string,
  unknown
>;

const lines = () =>
  service.log.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Line);
const events = (name: string) => lines().filter(({ event }) => event === name);

/** Every flow there is, with secrets that can be looked for afterwards. */
async function runAllFlows(): Promise<{ secrets: string[]; tokens: Tokens }> {
  const secrets = new Set([CANARY, NEXT, SECRET, "only-for-tests"]);
  const learn = (tokens: Partial<Tokens>) => {
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      // The signature alone is enough to tell a token by.
      if (token) secrets.add(token.split(".").at(-1) ?? token);
    }
  };
  const { url } = service;
  const email = `${randomUUID()}@example.com`;
  const post = (path: string, body: unknown, token?: string) =>
    call(url, "POST", `/api/auth/${path}`, { body, ...(token && { token }) });

  const first = (await post("register", { email, password: CANARY })).body as Tokens;
  const second = await login(url, email, CANARY);
  const third = (await refresh(url, second.refresh_token)).body as Tokens;
  const fourth = (await refresh(url, third.refresh_token)).body as Tokens;
  [first, second, third, fourth].forEach(learn);

  await refresh(url, second.refresh_token);
  await call(url, "DELETE", "/api/auth/sessions", { token: first.access_token });
  await post("login", { email, password: `${CANARY}!` });
  await post("login", { email: CANARY, password: CANARY });
  await post("login", { email, password: [CANARY], [CANARY]: CANARY });
  await call(
    url,
    "GET",
    `/api/users/me?access_token=${first.access_token}&password=${encodeURIComponent(CANARY)}`,
  );
  await call(url, "GET", "/api/users/me", { headers: { Authorization: `Basic ${CANARY}` } });
  await me(url, `${first.access_token}x`);
  await call(url, "GET", `/api/users/${first.access_token}`);
  const changed = (
    await post("password", { current_password: CANARY, new_password: NEXT }, first.access_token)
  ).body;
  learn(changed as Tokens);
  await post("logout", { refresh_token: `${first.refresh_token}x` });
  await post("logout", {}, (changed as Tokens).access_token);
  await me(url, (changed as Tokens).access_token);

  const byCookie = await post("login", { email, password: NEXT, transport: "cookie" });
  const cookies = byCookie.headers.getSetCookie().map((line) => line.split(";", 1)[0] ?? "");
  for (const cookie of cookies) secrets.add(cookie.split(".").at(-1) ?? cookie);
  await call(url, "POST", "/api/auth/logout", {
    headers: { Cookie: cookies.join("; "), "Sec-Fetch-Site": "cross-site" },
  });
  await call(url, "POST", "/api/auth/logout", { headers: { Cookie: cookies.join("; ") } });

  // What Redis refuses, ioredis reports with the command's arguments in the error.
  await redis.admin.config("SET", "maxmemory", "1");
  await post("register", { email: `${randomUUID()}@example.com`, password: CANARY });
  await redis.admin.config("SET", "maxmemory", "0");
  process.kill(redis.pid, "SIGSTOP");
  await post("login", { email, password: NEXT });
  process.kill(redis.pid, "SIGCONT");
  await untilReady(url);
  for (let more = 0; more < 8; more += 1) await post("login", { email, password: CANARY });
  return { secrets: [...secrets], tokens: fourth };
}

let secrets: string[];
let tokens: Tokens;
beforeAll(async () => {
  ({ secrets, tokens } = await runAllFlows());
});

it("nothing that was printed holds a password, a token, a cookie, a key or a hash", () => {
  const printed = service.log.join("\n");
  expect(printed.length).toBeGreaterThan(5000);
  expect(secrets.length).toBeGreaterThan(10);
  for (const secret of [...secrets, ...secrets.map((secret) => encodeURIComponent(secret))]) {
    expect(printed).not.toContain(secret);
  }
  expect(printed).not.toMatch(/argon2id|eyJ|Cookie/);
});

it("every request has one line, in UTC, with its id, and without its query", () => {
  const requests = lines().filter(({ msg }) => msg === "request");
  expect(requests.length).toBeGreaterThan(20);
  expect(new Set(requests.map(({ request_id }) => request_id)).size).toBe(requests.length);
  for (const line of requests) {
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(line).toMatchObject({
      ip: "127.0.0.1",
      method: expect.any(String) as string,
      status: expect.any(Number) as number,
    });
    expect(line["path"]).not.toContain("?");
  }
});

it.each([
  ["registered", 1],
  ["login", 2],
  ["login_failed", 2],
  ["logout", 2],
  ["session_ended", 1],
  ["session_ended", 1],
  ["password_changed", 1],
  ["refresh_reused", 1],
  ["revoked_token_used", 1],
  ["cross_site_request", 1],
  ["rate_limited", 1],
])("tells of %s, whom it concerns and from where", (event, atLeast) => {
  const told = events(event);
  expect(told.length).toBeGreaterThanOrEqual(atLeast);
  for (const line of told) {
    expect(line).toMatchObject({ ip: "127.0.0.1", request_id: expect.any(String) as string });
    if (event !== "rate_limited" && event !== "cross_site_request") {
      expect([tokens.user.id, "unknown"]).toContain(line["sub"]);
    }
  }
});

const lineOf = async (msg: string, answer: { headers: Headers }) => {
  const id = answer.headers.get("x-request-id");
  const find = () => lines().find((line) => line.request_id === id && line.msg === msg);
  await eventually(() => Promise.resolve(find() !== undefined));
  return find();
};

it("has the code of every refusal, and none where nothing was refused", async () => {
  const { access_token: token } = await register(service.url);
  const asked = [
    [await me(service.url, token), undefined],
    [await call(service.url, "GET", "/api/users/me"), "token_missing"],
    [await me(service.url, `${token}x`), "token_invalid"],
    [await call(service.url, "GET", "/nowhere"), "not_found"],
    [await call(service.url, "PUT", "/api/auth/login"), "method_not_allowed"],
    [await call(service.url, "POST", "/api/auth/login", { body: {} }), "invalid_request"],
    [await call(service.url, "POST", "/oauth/revoke", { form: "token=x" }), "invalid_credentials"],
  ] as const;
  for (const [answer, code] of asked) expect((await lineOf("request", answer))?.["code"]).toBe(code);
});

describe("why a token with a good signature is refused", () => {
  const now = Math.floor(Date.now() / 1000);
  const wrong = (token: string): [rule: string, token: string][] => [
    ["aud", vary(token, SECRET, { claims: { aud: "another" } })],
    ["iss", vary(token, SECRET, { claims: { iss: "another" } })],
    ["typ", vary(token, SECRET, { header: { typ: "JWT" } })],
    ["lifetime", vary(token, SECRET, { claims: { exp: now + 90_000 } })],
    ["sub", vary(token, SECRET, { claims: { sub: "" } })],
  ];
  const told = ({ level, code, rule }: Line) => ({ level, code, rule });

  it("is in the log at debug, under the request's id, and not in the answer", async () => {
    const { access_token } = await register(service.url);
    for (const [rule, token] of wrong(access_token)) {
      const answer = await me(service.url, token);
      expectRefusal(answer, 401, "token_invalid");
      expect(Object.keys(answer.body as object).sort()).toEqual(["code", "error", "message"]);
      const line = await lineOf("token refused", answer);
      expect(line && told(line)).toEqual({ level: 20, code: "token_invalid", rule });
    }
  });

  it("is there too when a client asks about the token, or revokes it", async () => {
    const { access_token } = await register(service.url);
    for (const [rule, token] of wrong(access_token))
      for (const [path, status] of [
        ["/oauth/introspect", 200],
        ["/oauth/revoke", 200],
      ] as const) {
        // A lifetime that is too long is no reason to let the token live.
        if (path === "/oauth/revoke" && rule === "lifetime") continue;
        const answer = await askAsClient(service.url, path, { token });
        expect(answer.status).toBe(status);
        const line = await lineOf("token refused", answer);
        expect(line && told(line)).toEqual({ level: 20, code: "token_invalid", rule });
      }
  });

  it("is not there for what nobody signed", async () => {
    const { access_token: token } = await register(service.url);
    const forged = await me(service.url, vary(token, "x".repeat(43), { claims: { aud: "another" } }));
    const [request] = [await lineOf("request", forged)];
    const about = lines().filter(({ request_id }) => request_id === request?.request_id);
    expect(about.map(({ msg }) => msg)).toEqual(["request"]);
  });
});

it("names the route, and nothing that stands below it or in its place", async () => {
  const secret = "Zk3vQ9xWm2Lr7Ty4Bn8Hc5Jd1Gf6Sp0Aq_u-eXoIiKw";
  const { access_token } = await register(service.url);
  const asked = [
    ["GET", "/api/auth/verify", "/api/auth/verify"],
    ["GET", "/api/auth/verify/reports", "/api/auth/verify/…"],
    ["PUT", `/api/v1/auth/verify/${secret}?token=${secret}`, "/api/v1/auth/verify/…"],
    ["GET", `/api/auth/verify/reset/${secret.slice(0, 20)}/${secret.slice(20)}`, "/api/auth/verify/…"],
    ["DELETE", `/api/auth/sessions/${secret}`, "/api/auth/sessions/:id"],
    ["GET", `/api/auth/sessions/${secret}`, "/api/auth/sessions/:id"],
    ["DELETE", `/api/auth/sessions/${secret}%zz`, "/api/auth/sessions/…"],
    ["GET", `/api/auth/logout/${secret}`, "/api/auth/logout/…"],
    ["GET", `/${secret.slice(0, 20)}`, "/…"],
    [
      "GET",
      `/a/${secret.slice(0, 9)}/${secret.slice(9, 18)}/${secret.slice(18, 27)}`,
      `/a/${secret.slice(0, 9)}/…`,
    ],
    ["GET", `/api/users/${access_token}`, "/api/users/…"],
    ["GET", "/api/nothing/here", "/api/nothing/here"],
    ["POST", "/API/Auth/login/", "/API/Auth/login"],
  ] as const;
  const ids: string[] = [];
  for (const [method, path] of asked) {
    const answer = await call(service.url, method, path, { token: access_token });
    ids.push(answer.headers.get("x-request-id") ?? "");
  }
  const pathFor = (id: string) =>
    lines().find(({ request_id, msg }) => request_id === id && msg === "request")?.["path"];
  await eventually(() => Promise.resolve(ids.every(pathFor)));
  expect(ids.map(pathFor)).toEqual(asked.map(([, , path]) => path));
});

it("tells of a revoked token's use at a route, not below it", async () => {
  const { access_token: token } = await register(service.url);
  await logout(service.url, token);
  const secret = "secret".repeat(4);
  const { headers } = await call(service.url, "GET", `/api/auth/verify/${secret}`, { token });
  const isOfThis = ({ request_id }: Line) => request_id === headers.get("x-request-id");
  await eventually(() => Promise.resolve(events("revoked_token_used").some(isOfThis)));
  const event = events("revoked_token_used").find(isOfThis);
  expect(event).toMatchObject({ path: "/api/auth/verify/…" });
});

it("stays one line, whatever a client puts into it", async () => {
  const before = service.log.length;
  const evil = 'x"}\n{"event":"login","sub":"forged"}\u001b[31m\u2028';
  const { access_token } = await register(service.url);
  await call(service.url, "DELETE", `/api/auth/sessions/${encodeURIComponent(evil)}`, {
    token: access_token,
    headers: { "User-Agent": "a\tb", "X-Request-Id": '"},{' },
  });
  const since = service.log.slice(before);
  for (const line of since) {
    expect(() => JSON.parse(line) as unknown).not.toThrow();
    expect(line).not.toContain("\u001b");
  }
  expect(since.some((line) => line.includes("forged") && line.includes('"event"'))).toBe(false);
});
