import { randomUUID } from "node:crypto";
import express from "express";
import request, { type Response } from "supertest";
import type { Account, Accounts, Curfew, SessionTokens, UserToOpen } from "../../src/index";
import { PASSWORD } from "../helpers/client";
import { useCurfew } from "../helpers/curfew";
import { useRedis } from "../helpers/redis";

const redis = useRedis();

const table = new Map<string, Account>();
let whenFound: (id: string) => void = () => undefined;
const nobody = () => Promise.reject(new Error("nobody logs in here"));
const accounts: Accounts = {
  ...{ create: nobody, findByEmail: nobody, replacePasswordHash: nobody },
  findById(id) {
    // As a database may that takes upper and lower case for the same.
    const found = table.get(id.toLowerCase());
    whenFound(id);
    return Promise.resolve(found);
  },
};

const options = { cookies: { secure: false }, rateLimits: false as const };
const logged = jest.fn();
const log = { info: logged, warn: () => undefined, error: () => undefined };
const issuer = { name: "idp", issuer: "https://idp.example", secret: "k8Xq2LpZ9vTr4NcB8mKd1YsF6hGj3Ue5" };
const issuers = [{ ...issuer, audience: null, algorithms: ["HS256" as const] }];
const alone = useCurfew(() => ({ redis: redis.url, ...options, issuers, log }));
/** Knows only from that test where its routes are mounted. */
const untouched = useCurfew(() => ({ redis: redis.url, ...options }));
const withAccounts = useCurfew(() => ({ redis: redis.url, ...options, accounts }));

beforeEach(() => {
  whenFound = () => undefined;
});

/** An app that believes whoever asks. */
function appOf(curfew: Curfew) {
  async function open(req: express.Request, res: express.Response): Promise<void> {
    try {
      res.json(await curfew.openSession(req, res, req.body as UserToOpen));
    } catch (error) {
      res.status(500).json({ name: (error as Error).name, code: (error as { code?: string }).code });
    }
  }
  return express()
    .use(express.json())
    .post("/magic", (req, res) => void open(req, res))
    .get("/reports", curfew.requireToken({ role: "analyst" }), (req, res) => void res.json(req.auth))
    .use("/auth", curfew.routes());
}

const open = (app: express.Express, user: object) => request(app).post("/magic").send(user);
const tokensOf = ({ body }: Response) => body as SessionTokens;
const reports = (app: express.Express, token = "") =>
  request(app).get("/reports").auth(token, { type: "bearer" });
const refresh = (app: express.Express, { refresh_token }: SessionTokens) =>
  request(app).post("/auth/refresh").send({ refresh_token });

const cookiesOf = ({ headers }: Response) =>
  ((headers["set-cookie"] ?? []) as string[]).map((each) => {
    const [, name = "", value = "", path = ""] = /^([^=]*)=([^;]*);.*Path=([^;]*)/.exec(each) ?? [];
    return { name, value, path };
  });

function add(more: Partial<Account> = {}): Account {
  const [id, createdAt] = [randomUUID(), new Date().toISOString()];
  const usual = { id, email: `${id}@example.com`, roles: ["analyst"], createdAt, passwordHash: null };
  const account = { ...usual, ...more };
  table.set(account.id, account);
  return account;
}

it("opens a session that is guarded, refreshed with its roles, listed and logged out like any other", async () => {
  const app = appOf(alone);
  const opened = await open(app, { id: "ada", roles: ["analyst"], email: "ada@example.com" });
  const user = { id: "ada", email: "ada@example.com", roles: ["analyst"] };
  expect(opened.body).toMatchObject({ token_type: "Bearer", expires_in: 900, user });
  expect(opened.headers["cache-control"]).toBe("no-store");
  expect(opened.headers["set-cookie"]).toBeUndefined();
  const { access_token: token = "" } = tokensOf(opened);
  expect((await reports(app, token)).body).toMatchObject({ kind: "own", subject: "ada", roles: ["analyst"] });
  const next = await refresh(app, tokensOf(opened));
  expect(next).toMatchObject({ status: 200, body: { user } });
  expect((await reports(app, tokensOf(next).access_token)).status).toBe(200);
  const sessions = await request(app).get("/auth/sessions").auth(token, { type: "bearer" });
  expect(sessions.body).toMatchObject({ sessions: [{ current: true }] });
  expect((await request(app).post("/auth/logout").auth(token, { type: "bearer" })).status).toBe(200);
  expect((await reports(app, tokensOf(next).access_token)).body).toMatchObject({ code: "token_revoked" });
  expect((await refresh(app, tokensOf(next))).body).toMatchObject({ code: "refresh_token_invalid" });
});

it("gives nobody a role that wasn't given, and leaves aside what it doesn't know", async () => {
  const app = appOf(alone);
  const opened = await open(app, { id: "idp-ben", email: null, password: "x", role: "analyst" });
  expect(opened.body).toMatchObject({ user: { id: "idp-ben", email: null, roles: [] } });
  expect((await reports(app, tokensOf(opened).access_token)).status).toBe(403);
  expect((await refresh(app, tokensOf(opened))).body).toMatchObject({ user: { email: null, roles: [] } });
});

it("sets cookies, which the routes refresh and clear, also if they lie at / because no request had reached them", async () => {
  const fresh = appOf(untouched);
  const opened = await open(fresh, { id: "cay", roles: ["analyst"], transport: "cookie" });
  expect(opened.body).toMatchObject({ token_type: "Bearer", user: { id: "cay" } });
  expect(opened.body).not.toHaveProperty("access_token");
  expect(opened.body).not.toHaveProperty("refresh_token");
  const [access, carried] = cookiesOf(opened);
  expect([access?.name, carried?.name]).toEqual(["curfew_access", "curfew_refresh"]);
  const Cookie = cookiesOf(opened)
    .map(({ name, value }) => `${name}=${value}`)
    .join("; ");
  expect((await request(fresh).get("/reports").set({ Cookie })).status).toBe(200);
  const refreshed = await request(fresh).post("/auth/refresh").set({ Cookie });
  expect(refreshed.status).toBe(200);
  expect(cookiesOf(refreshed).map(({ path, value }) => [path, value !== ""])).toEqual([
    ["/", true],
    ["/auth", true],
    ["/", false],
  ]);
  const [, later] = cookiesOf(await open(fresh, { id: "cay", transport: "cookie" }));
  expect(later?.path).toBe("/auth");
  const out = await request(fresh).post("/auth/logout").set({ Cookie });
  expect(out.status).toBe(200);
  // Also where it lay in versions that didn't ask where the routes are.
  const cleared = cookiesOf(out).map(({ name, path }) => `${name} ${path}`);
  expect(cleared.sort()).toEqual(
    ["curfew_access /", ...["/", "/api", "/auth"].map((path) => `curfew_refresh ${path}`)].sort(),
  );
  expect((await request(fresh).get("/reports").set({ Cookie })).status).toBe(401);
});

it("clears nothing elsewhere for who brings no refresh cookie", async () => {
  const registration = { email: "hal@example.com", password: PASSWORD, transport: "cookie" };
  const answer = await request(appOf(alone)).post("/auth/register").send(registration);
  expect(cookiesOf(answer).map(({ path }) => path)).toEqual(["/", "/auth"]);
});

it("refreshes as the app's account then is", async () => {
  const app = appOf(withAccounts);
  const { id, email } = add();
  const opened = await open(app, { id });
  expect(opened.body).toMatchObject({ user: { id, email, roles: ["analyst"] } });
  const other = await open(app, { id, roles: ["editor"] });
  expect(other.body).toMatchObject({ user: { roles: ["editor"] } });
  expect((await refresh(app, tokensOf(other))).body).toMatchObject({ user: { email, roles: ["analyst"] } });
  table.delete(id);
  expect((await refresh(app, tokensOf(opened))).body).toMatchObject({ code: "refresh_token_invalid" });
});

it("opens it for the account that is found, by its own id and as it is in the end", async () => {
  const app = appOf(withAccounts);
  const { id } = add();
  whenFound = () => table.set(id, { ...add({ id }), roles: ["editor"] });
  const opened = await open(app, { id: id.toUpperCase() });
  expect(opened.body).toMatchObject({ user: { id, roles: ["editor"] } });
  expect(await redis.admin.zcard(`curfew:user-sessions:${id}`)).toBe(1);
  await withAccounts.revokeUser(id);
  expect((await refresh(app, tokensOf(opened))).body).toMatchObject({ code: "refresh_token_invalid" });
});

it("refreshes no session without an account once the app brings accounts", async () => {
  const opened = await open(appOf(alone), { id: "eve", roles: ["analyst"] });
  const refreshed = await refresh(appOf(withAccounts), tokensOf(opened));
  expect(refreshed.body).toMatchObject({ code: "refresh_token_invalid" });
});

it("logs who logged in, and from where", async () => {
  await open(appOf(alone), { id: "fay" });
  const line = { sub: "fay", sid: expect.any(String) as string, path: "/magic" };
  expect(logged).toHaveBeenCalledWith(expect.objectContaining(line), "login");
});

it("opens none once the answer has begun, because nobody would get its tokens", async () => {
  const opening = new Promise<unknown>((resolve) => {
    const app = express().get("/", (req, res) => {
      res.write("too early");
      const opened = alone.openSession(req, res, { id: "gus" }).catch((error: unknown) => error);
      void opened.then((outcome) => {
        resolve(outcome);
        res.end();
      });
    });
    void request(app).get("/").then();
  });
  expect(await opening).toMatchObject({ code: "ERR_HTTP_HEADERS_SENT" });
  expect(await redis.admin.zcard("curfew:user-sessions:gus")).toBe(0);
});

it("opens none where the app has no such account, or one that is disabled, even while it opens", async () => {
  const app = appOf(withAccounts);
  const disabledAt = new Date().toISOString();
  const [gone, disabled, disabledLater] = [randomUUID(), add({ disabledAt }).id, add().id];
  whenFound = (id) => {
    if (id === disabledLater) add({ id, disabledAt });
  };
  for (const id of [gone, disabled, disabledLater]) {
    expect((await open(app, { id })).body).toEqual({ name: "CurfewError", code: "invalid_credentials" });
    expect(await redis.admin.zcard(`curfew:user-sessions:${id}`)).toBe(0);
  }
});

it.each([
  {},
  { id: 7 },
  { id: "" },
  { id: "x", roles: "analyst" },
  { id: "x", roles: ["a,b"] },
  { id: "x", roles: [""] },
  { id: "x", transport: "cookies" },
  { id: "x", email: 1 },
  { id: "idp:user_1" },
])("takes %j for a mistake, and opens nothing", async (user) => {
  const answer = await open(appOf(alone), user);
  expect(answer.body).toEqual({ name: "TypeError" });
  expect(answer.headers["set-cookie"]).toBeUndefined();
});

it("needs Express's request and response", async () => {
  for (const [req, res] of [[{}, {}], [{ get: () => undefined }, {}], [undefined]])
    await expect(alone.openSession(req as never, res as never, { id: "x" })).rejects.toThrow(
      /^Write await curfew\.openSession\(req, res/,
    );
});
