import { randomUUID } from "node:crypto";
import {
  call,
  eventually,
  expectRefusal,
  login,
  logout,
  me,
  register,
  type Tokens,
} from "../../helpers/client";
import { readEvents } from "../../helpers/events";
import { decodePart, vary } from "../../helpers/jws";
import { becomeOps } from "../../helpers/ops-user";
import { useRedis } from "../../helpers/redis";
import { SECRET, useService } from "../../helpers/service";

type Json = Record<string, unknown>;
type Page = { items: Json[]; next_cursor: string | null; looked: number; of: number };

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url, LOG_LEVEL: "trace" }));
let ops: Tokens;
beforeAll(async () => {
  ops = await becomeOps(service.url, redis);
});

const ask = (method: string, path: string, body?: unknown) =>
  call(service.url, method, `/api/ops${path}`, {
    token: ops.access_token,
    ...(body !== undefined && { body }),
  });
async function get<T = Json>(path: string): Promise<T> {
  const { status, body } = await ask("GET", path);
  expect([status, body]).toEqual([200, body]);
  return body as T;
}
const claimsOf = ({ access_token }: Tokens) =>
  decodePart(access_token, 1) as { jti: string; sid: string; sub: string; exp: number };
const list = (query: Record<string, string> = {}) =>
  get<Page>(`/revocations?${new URLSearchParams(query).toString()}`);
const why = async (body: Json) => (await ask("POST", "/why", body)).body as Json & { rules: Json[] };
/** All of a list's pages. */
async function listAll(query: Record<string, string>): Promise<Page[]> {
  const pages = [await list(query)];
  for (let next = pages[0]?.next_cursor; next; next = pages.at(-1)?.next_cursor) {
    pages.push(await list({ ...query, cursor: next }));
  }
  return pages;
}

const loggedEvents = (name: string) =>
  service.log
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Json)
    .filter(({ event }) => event === name);

/** Somebody who logged out. */
async function leave() {
  const tokens = await register(service.url);
  await logout(service.url, tokens.access_token);
  return { ...tokens, ...claimsOf(tokens) };
}

/** What an answer has at a parameter that isn't right. */
async function expectProblem(method: string, path: string, problemPath: string, body?: unknown) {
  const answer = await ask(method, path, body);
  expectRefusal(answer, 400, "invalid_request");
  const { details } = answer.body as { details: { path: string; message: string }[] };
  expect(details.map((each) => each.path)).toEqual([problemPath]);
  return details[0]?.message;
}

describe("who may", () => {
  const ROUTES = [
    ["GET", "/revocations"],
    ["POST", "/revocations"],
    ["GET", "/revocations/token/x"],
    ["DELETE", "/revocations/token/x"],
    ["POST", "/why"],
    ["GET", "/users/x/sessions"],
    ["GET", "/status"],
  ] as const;

  it.each(ROUTES)("%s %s is for a token with the role alone", async (method, path) => {
    const somebody = await register(service.url);
    const forged = vary(somebody.access_token, `${SECRET}x`, { claims: { roles: ["ops"] } });
    const at = (token?: string) => call(service.url, method, `/api/ops${path}`, token ? { token } : {});
    expectRefusal(await at(), 401, "token_missing");
    expectRefusal(await at(forged), 401, "token_invalid");
    expectRefusal(await at(somebody.access_token), 403, "insufficient_role");
    const answer = await at(ops.access_token);
    expect([200, 400, 404, 415]).toContain(answer.status);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  it("refuses staff whose token was revoked", async () => {
    const gone = await becomeOps(service.url, redis);
    await logout(service.url, gone.access_token);
    expectRefusal(
      await call(service.url, "GET", "/api/ops/status", { token: gone.access_token }),
      401,
      "token_revoked",
    );
  });

  it("lets no page of another site act by the cookie of somebody of the staff", async () => {
    const { jti } = await leave();
    const ask = (headers: Record<string, string>) =>
      call(service.url, "DELETE", `/api/ops/revocations/token/${jti}`, {
        headers: { Cookie: `curfew_access=${ops.access_token}`, ...headers },
      });
    expectRefusal(await ask({ Origin: "https://evil.example" }), 403, "cross_site_request");
    expect((await get(`/revocations/token/${jti}`))["jti"]).toBe(jti);
    expect((await ask({ "Sec-Fetch-Site": "same-origin" })).status).toBe(200);
  });
});

describe("a list", () => {
  it("has every entry once, page by page, and says how far it is", async () => {
    const people = [await leave(), await leave(), await leave()];
    const pages = await listAll({ limit: "2" });
    for (const { items } of pages) expect(items.length).toBeLessThanOrEqual(2);
    const keys = pages.flatMap(({ items }) => items.map(({ key }) => key));
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.sort()).toEqual((await redis.admin.keys("curfew:denylist:[js]*")).sort());
    expect(pages.at(-1)).toMatchObject({ looked: pages[0]?.of, of: await redis.admin.dbsize() });
    expect(keys).toEqual(expect.arrayContaining(people.map(({ jti }) => `curfew:denylist:jti:${jti}`)));
  });

  it("in the order of the events has the newest first", async () => {
    const [one, two] = [await leave(), await leave()];
    const pages = await listAll({ order: "newest", limit: "1", kind: "jti" });
    expect(pages.flatMap(({ items }) => items.map(({ id }) => id)).slice(0, 2)).toEqual([two.jti, one.jti]);
  });

  it("is filtered by kind, user, reason, time and text", async () => {
    const someone = await leave();
    const { email } = someone.user;
    const idsOf = async (query: Record<string, string>) =>
      (await listAll({ limit: "200", ...query })).flatMap(({ items }) => items.map(({ id }) => id)).sort();
    const both = [someone.jti, someone.sid].sort();
    for (const order of ["any", "newest"]) {
      expect(await idsOf({ order, user: someone.sub })).toEqual(both);
      expect(await idsOf({ order, user: email })).toEqual(both);
      expect(await idsOf({ order, user: someone.sub, kind: "sid" })).toEqual([someone.sid]);
      expect(await idsOf({ order, user: someone.sub, reason: "session_ended" })).toEqual([]);
      expect(await idsOf({ order, q: someone.jti.toUpperCase(), kind: "token" })).toEqual([someone.jti]);
      expect(await idsOf({ order, q: `${someone.jti.slice(0, 8)}*` })).toEqual([]);
      const { revoked_at } = await get(`/revocations/token/${someone.jti}`);
      expect(await idsOf({ order, user: someone.sub, since: String(revoked_at) })).toEqual(both);
      expect(await idsOf({ order, user: someone.sub, since: "2999-01-01T00:00:00+02:00" })).toEqual([]);
    }
  });

  it("is asked for with parameters that are as described", async () => {
    await expectProblem("GET", "/revocations?kinds=token", "kinds");
    await expectProblem("GET", "/revocations?__proto__=token", "__proto__");
    await expectProblem("GET", "/revocations?kind=__proto__", "kind");
    await expectProblem("GET", "/revocations?since=yesterday", "since");
    await expectProblem("GET", "/revocations?order=oldest", "order");
    expect(await expectProblem("GET", "/revocations?q=a&q=b", "q")).toBe("must be there once");
    for (const limit of ["", "0", "201", "-1", "1e2", "x", "9999"])
      await expectProblem("GET", `/revocations?limit=${limit}`, "limit");
    await expectProblem("GET", "/status?verbose=1", "verbose");
  });

  it("goes on only with a cursor that it gave, in its own order", async () => {
    await leave();
    const any = (await list({ limit: "1" })).next_cursor ?? "";
    const newest = (await list({ limit: "1", order: "newest" })).next_cursor ?? "";
    const write = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const place = { node: 0, cursor: "0", after: "", looked: 0 };
    for (const cursor of [
      ...["", "x", newest, write(null), write({}), write({ ...place, node: -1 })],
      write({ ...place, cursor: String(2n ** 64n) }),
      ...[
        write({ ...place, cursor: "0 MATCH *" }),
        write({ ...place, more: 1 }),
        write({ ...place, after: 1 }),
        `${any.slice(0, -4)}!`,
      ],
    ]) {
      await expectProblem("GET", `/revocations?cursor=${encodeURIComponent(cursor)}`, "cursor");
    }
    for (const cursor of [any, write({ events: "0-0,1-1" }), write({ events: "$" }), write({ events: "0" })])
      await expectProblem("GET", `/revocations?order=newest&cursor=${cursor}`, "cursor");
  });

  it("has nothing before the first event that there can be", async () => {
    for (const events of ["-", "0-0", "00-000"]) {
      const cursor = Buffer.from(JSON.stringify({ events })).toString("base64url");
      expect(await list({ order: "newest", cursor })).toMatchObject({ items: [], next_cursor: null });
    }
  });
});

describe("an entry", () => {
  it("is shown with who, when, why, from where, until when and how often it was used", async () => {
    const someone = await leave();
    await me(service.url, someone.access_token);
    await eventually(async () => (await get(`/revocations/token/${someone.jti}`))["uses"] !== null);
    expect(await get(`/revocations/jti/${someone.jti}`)).toEqual({
      ...{ kind: "token", id: someone.jti, key: `curfew:denylist:jti:${someone.jti}` },
      ...{ jti: someone.jti, sub: someone.sub, sid: someone.sid, iss: "curfew", exp: someone.exp },
      ...{ iat: expect.any(Number) as number, revoked_at: expect.any(String) as string },
      ...{ reason: "logout", by: someone.sub, ip: "127.0.0.1", user_agent: "node", note: null },
      ...{ cutoff: null, value: null, expires_at: expect.any(String) as string },
      uses: {
        ...{ uses: 1, last_used_at: expect.any(String) as string, ip: "127.0.0.1", user_agent: "node" },
      },
    });
  });

  it("that somebody wrote by hand is found by its id, whatever is in it", async () => {
    for (const id of ["a/b", "a%2Fb", "*", "[a-z]?", "__proto__", "é\n\u001b[31m", "x".repeat(8000)]) {
      await redis.admin.set(`curfew:denylist:jti:${id}`, "by hand", "EX", 100);
      const path = `/revocations/token/${encodeURIComponent(id)}`;
      expect(await get(path)).toMatchObject({ id, value: "by hand", reason: null });
      expect((await ask("DELETE", path)).status).toBe(200);
      expect(await redis.admin.exists(`curfew:denylist:jti:${id}`)).toBe(0);
    }
  });

  it("that isn't there is a 404, and one of another kind a 400", async () => {
    expectRefusal(await ask("GET", `/revocations/token/${randomUUID()}`), 404, "not_found");
    expectRefusal(await ask("GET", "/revocations/token/*"), 404, "not_found");
    expectRefusal(await ask("DELETE", `/revocations/user/${randomUUID()}`), 404, "not_found");
    await expectProblem("GET", "/revocations/constructor/x", "kind");
    await expectProblem("DELETE", "/revocations/toString/x", "kind");
  });
});

describe("a revocation", () => {
  const REASON = `a lost phone${"!".repeat(244)}`;

  it.each([
    ["a token", (tokens: Tokens) => ({ token: tokens.access_token }), "token"],
    [
      "a token by its id",
      (tokens: Tokens) => ({ jti: claimsOf(tokens).jti, expires_at: claimsOf(tokens).exp }),
      "token",
    ],
    [
      "a token by its id, and when it expires in RFC 3339",
      (tokens: Tokens) => ({
        jti: claimsOf(tokens).jti,
        expires_at: new Date(claimsOf(tokens).exp * 1000).toISOString(),
      }),
      "token",
    ],
    ["a session", (tokens: Tokens) => ({ session: claimsOf(tokens).sid }), "session"],
    ["a user by id", (tokens: Tokens) => ({ user: claimsOf(tokens).sub }), "user"],
    ["a user by e-mail address", (tokens: Tokens) => ({ user: tokens.user.email.toUpperCase() }), "user"],
  ])("of %s counts at once, and says who did it and why", async (_title, target, kind) => {
    const tokens = await register(service.url);
    const answer = await ask("POST", "/revocations", { ...target(tokens), reason: ` ${REASON} ` });
    expect([answer.status, answer.body]).toEqual([201, { revoked: true }]);
    expectRefusal(await me(service.url, tokens.access_token), 401, "token_revoked");
    const by = `ops:${ops.user.email}`;
    const { jti, sid, sub } = claimsOf(tokens);
    const [entryKind, id] = kind === "token" ? ["token", jti] : ["session", sid];
    expect(await get(`/revocations/${entryKind}/${id}`)).toMatchObject({
      ...{ reason: "revoked_by_ops", by, note: REASON, ip: "127.0.0.1" },
    });
    const events = (await readEvents(redis)).filter(({ event }) => event === "revoked_by_ops");
    expect(events.at(-1)).toMatchObject({ kind: entryKind, by, note: REASON, ip: "127.0.0.1" });
    const told = { token: jti, session: sid, user: sub }[kind];
    const isTold = () => loggedEvents("revoked_by_ops").find((line) => line["id"] === told);
    await eventually(() => Promise.resolve(isTold() !== undefined));
    expect(isTold()).toMatchObject({ kind, by, note: REASON });
  });

  it("names exactly one thing, and why", async () => {
    const { sid, jti, exp } = claimsOf(await register(service.url));
    const reason = REASON;
    const bodies: [problem: string, body: Json][] = [
      ["", { reason }],
      ["", { session: sid, user: "x", reason }],
      ["", { jti, reason }],
      ["", { session: sid, expires_at: exp, reason }],
      ["reason", { session: sid }],
      ["reason", { session: sid, reason: "  " }],
      ["reason", { session: sid, reason: "x".repeat(257) }],
      ["reason", { session: sid, reason: "two\nlines" }],
      ["reason", { session: sid, reason: "\u001b[2Jgone" }],
      ["sessions", { session: sid, sessions: sid, reason }],
      ["session", { session: "", reason }],
      ["expires_at", { jti, expires_at: exp - 86_400, reason }],
      ["expires_at", { jti, expires_at: exp * 1000, reason }],
      ["expires_at", { jti, expires_at: "soon", reason }],
      ["jti", { jti: "a b", expires_at: exp, reason }],
      ["token", { token: "a.b.c", reason }],
    ];
    const before = await redis.admin.xlen("curfew:events");
    for (const [problem, body] of bodies) await expectProblem("POST", "/revocations", problem, body);
    expect(await redis.admin.xlen("curfew:events")).toBe(before);
    expectRefusal(await ask("POST", "/revocations", { session: "*", reason }), 404, "not_found");
    expectRefusal(
      await ask("POST", "/revocations", { user: "nobody@example.com", reason }),
      404,
      "not_found",
    );
  });

  it("is lifted with a reason, which answers what else refuses the token", async () => {
    const someone = await leave();
    const [one, two] = [`/revocations/token/${someone.jti}`, `/revocations/session/${someone.sid}`];
    const first = await ask("DELETE", `${one}?reason=a+mistake`);
    expect(first).toMatchObject({
      status: 200,
      body: { lifted: { id: someone.jti, reason: "logout" }, still_refused_by: [{ rule: "sid" }] },
    });
    const second = await ask("DELETE", two, { reason: "a mistake" });
    expect(second).toMatchObject({
      status: 200,
      body: { lifted: { id: someone.sid }, still_refused_by: [] },
    });
    expect((await me(service.url, someone.access_token)).status).toBe(200);
    expectRefusal(await ask("DELETE", one), 404, "not_found");
    const told = { by: `ops:${ops.user.email}`, note: "a mistake" };
    expect((await readEvents(redis)).filter(({ event }) => event === "lifted").slice(-2)).toMatchObject([
      { ...told, kind: "token", jti: someone.jti },
      { ...told, kind: "session", sid: someone.sid },
    ]);
    await eventually(() =>
      Promise.resolve(loggedEvents("lifted").some((line) => line["id"] === someone.sid)),
    );
    expect(loggedEvents("lifted").slice(-2)).toMatchObject([
      { ...told, kind: "token", id: someone.jti },
      { ...told, kind: "session", id: someone.sid },
    ]);
    await expectProblem("DELETE", `${one}?note=x`, "note");
    await expectProblem("DELETE", one, "note", { note: "x" });
  });
});

describe("why", () => {
  it("explains tokens and ids", async () => {
    const someone = await leave();
    expect(await why({ token: ops.access_token })).toMatchObject({ verdict: "alive", rules: [] });
    expect(await why({ token: someone.access_token })).toMatchObject({
      verdict: "dead",
      rules: [{ rule: "jti", entry: { by: someone.sub } }, { rule: "sid" }],
      token: { kind: "own", sub: someone.sub, jti: someone.jti, sid: someone.sid },
    });
    expect(await why({ jti: someone.jti })).toMatchObject({ verdict: "dead", token: null });
    expect(await why({ jti: randomUUID() })).toMatchObject({ verdict: "unknown" });
    expect(await why({ token: vary(someone.access_token, `${SECRET}x`, {}) })).toMatchObject({
      verdict: "not_genuine",
      token: null,
    });
  });

  it("takes one of the two", async () => {
    await expectProblem("POST", "/why", "", {});
    await expectProblem("POST", "/why", "", { token: "x", jti: "x" });
    await expectProblem("POST", "/why", "tokens", { jti: "x", tokens: "x" });
    await expectProblem("POST", "/why?jti=x", "jti", { jti: "x" });
  });
});

it("lists a user's sessions, found by id or e-mail address", async () => {
  const someone = await register(service.url);
  await login(service.url, someone.user.email);
  for (const name of [someone.user.id, someone.user.email, ` ${someone.user.email.toUpperCase()}`]) {
    const { sessions } = await get<{ sessions: Json[] }>(`/users/${encodeURIComponent(name)}/sessions`);
    expect(sessions).toHaveLength(2);
    expect(sessions[0]).toEqual({
      id: claimsOf(someone).sid,
      ...{ ip: "127.0.0.1", user_agent: "node" },
      ...{ created_at: expect.any(String) as string, last_used_at: expect.any(String) as string },
      expires_at: expect.any(String) as string,
    });
  }
  expectRefusal(await ask("GET", "/users/nobody@example.com/sessions"), 404, "not_found");
});

it("says how Redis is, and since when the denylist remembers", async () => {
  expect(await get("/status")).toMatchObject({
    redis: { nodes: [{ replicas: 0, eviction_policy: "noeviction" }] },
    epochs: [{ prefix: "curfew:", epoch: await redis.admin.get("curfew:denylist:epoch") }],
    events: await redis.admin.xlen("curfew:events"),
    mirror: null,
  });
});

it("neither logs nor repeats a token that was pasted anywhere", async () => {
  const { access_token: token } = await register(service.url);
  const signature = token.split(".").at(-1) ?? "";
  const bodies = [{ token }, { jti: token }, { token: token.slice(1) }, { session: token, reason: "x" }];
  const answers = await Promise.all([
    ...bodies.map((body) => ask("POST", "/why", body)),
    ...bodies.map((body) => ask("POST", "/revocations", { reason: "x", expires_at: null, ...body })),
    ask("POST", "/revocations", { jti: token, expires_at: 99_999_999_999, reason: "x" }),
    ask("POST", "/revocations", { user: token, reason: "x" }),
    ask("GET", `/revocations?q=${token}`),
    ask("GET", `/revocations?cursor=${token}`),
    ask("GET", `/revocations/token/${token}`),
    ask("GET", `/revocations/${token}/x`),
    ask("DELETE", `/revocations/token/${token}`),
    ask("GET", `/users/${token}/sessions`),
  ]);
  expect(JSON.stringify(answers)).not.toContain(signature);
  await eventually(() =>
    Promise.resolve(service.log.filter((line) => line.includes("/users/:id/")).length > 0),
  );
  expect(service.log.join("\n")).not.toContain(signature);
});

it("answers 503 while Redis hangs", async () => {
  process.kill(redis.pid, "SIGSTOP");
  expectRefusal(await ask("GET", "/revocations"), 503, "denylist_unavailable");
  process.kill(redis.pid, "SIGCONT");
  await eventually(async () => (await ask("GET", "/status")).status === 200);
});
