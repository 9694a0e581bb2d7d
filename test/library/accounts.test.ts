import { randomUUID, scryptSync } from "node:crypto";
import express from "express";
import request from "supertest";
import { createCurfew, type Account, type Accounts } from "../../src/index";
import { PASSWORD, type Tokens } from "../helpers/client";
import { SECRET } from "../helpers/service";
import { use } from "../helpers/use";

const table = new Map<string, Account>();

/** As an app may have hashed its passwords before. */
const oldHash = (password: string) => `scrypt:${scryptSync(password, "salt", 32).toString("hex")}`;
const verifyPassword = jest.fn(
  ({ passwordHash }: Account, password: string) => passwordHash === oldHash(password),
);

const accounts: Accounts = {
  create: () => Promise.reject(new Error("nobody registers here")),
  findByEmail: (email) => Promise.resolve([...table.values()].find((each) => each.email === email)),
  findById: (id) => Promise.resolve(table.get(id)),
  replacePasswordHash(id, seen, next) {
    const account = table.get(id);
    if (account?.passwordHash !== seen) return Promise.resolve(false);
    table.set(id, { ...account, passwordHash: next });
    return Promise.resolve(true);
  },
  verifyPassword,
};

const curfew = use(() => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const created = createCurfew({
    ...{ redis: "memory://", keys: { secret: SECRET }, rateLimits: false, accounts, log },
  });
  return { ...created, stop: () => created.close() };
});

function add(passwordHash: string | null): Account {
  const [id, createdAt] = [randomUUID(), new Date().toISOString()];
  const account = { id, email: `${id}@example.com`, roles: ["analyst"], createdAt, passwordHash };
  table.set(id, account);
  return account;
}

async function post(path: string, body: object, token = "") {
  const app = express().use("/auth", curfew.routes());
  const asked = request(app).post(`/auth/${path}`);
  const answer = await (token === "" ? asked : asked.auth(token, { type: "bearer" })).send(body);
  return { status: answer.status, body: answer.body as Tokens & { code?: string } };
}

const login = ({ email }: Pick<Account, "email">, password: string) => post("login", { email, password });

beforeEach(() => {
  verifyPassword.mockClear();
});

it("has the app verify a hash of its own, and replaces it at the first good login", async () => {
  const account = add(oldHash(PASSWORD));
  expect(await login(account, "not that one, sorry")).toMatchObject({ status: 401 });
  expect(table.get(account.id)?.passwordHash).toBe(account.passwordHash);
  expect(await login(account, PASSWORD)).toMatchObject({
    status: 200,
    body: { user: { roles: ["analyst"] } },
  });
  expect(table.get(account.id)?.passwordHash).toMatch(/^\$argon2id\$/);
  expect(verifyPassword).toHaveBeenCalledTimes(2);
  expect(await login(account, PASSWORD)).toMatchObject({ status: 200 });
  expect(await login(account, "not that one, sorry")).toMatchObject({ status: 401 });
  expect(verifyPassword).toHaveBeenCalledTimes(2);
});

it("verifies such a hash where the password is changed, too", async () => {
  const account = add(oldHash(PASSWORD));
  const { access_token: token } = (await login(account, PASSWORD)).body;
  table.set(account.id, account);
  const change = { current_password: PASSWORD, new_password: `${PASSWORD}, another` };
  expect(await post("password", change, token)).toMatchObject({ status: 200 });
  expect(await login(account, change.new_password)).toMatchObject({ status: 200 });
});

it("accepts nothing but true, and asks nothing of the app for a password that is too long", async () => {
  const account = add(oldHash(PASSWORD));
  verifyPassword.mockReturnValueOnce("yes" as never);
  expect(await login(account, PASSWORD)).toMatchObject({ status: 401 });
  expect(await login(account, "x".repeat(2000))).toMatchObject({ status: 401 });
  expect(verifyPassword).toHaveBeenCalledTimes(1);
});

it("answers who has no password like somebody unknown, and after hashing as long", async () => {
  const none = add(null);
  const known = await login(none, PASSWORD);
  expect(known).toMatchObject({ status: 401, body: { code: "invalid_credentials" } });
  expect(known.body).toEqual((await login({ email: "nobody@example.com" }, PASSWORD)).body);
  expect(verifyPassword).not.toHaveBeenCalled();
  const tookMs = async (account: Pick<Account, "email">) => {
    const startedAt = performance.now();
    await login(account, PASSWORD);
    return performance.now() - startedAt;
  };
  const [withoutPassword, unknown]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round += 1) {
    withoutPassword.push(await tookMs(none));
    unknown.push(await tookMs({ email: "nobody@example.com" }));
  }
  // Without the hashing, it would be a tenth or less.
  expect(Math.min(...withoutPassword)).toBeGreaterThan(Math.min(...unknown) / 3);
});
