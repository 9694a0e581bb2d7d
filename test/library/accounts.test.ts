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
const isOldHash = ({ passwordHash }: Account, password: string) => passwordHash === oldHash(password);
const verifyPassword = jest.fn(isOldHash);

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

const NOBODY = { email: "nobody@example.com" };

/** How long refusing each takes, at best. */
async function leastMs(accounts: Pick<Account, "email">[], password: string): Promise<[number, number]> {
  const least = accounts.map(() => Infinity);
  for (let round = 0; round < 5; round += 1) {
    for (const [at, account] of accounts.entries()) {
      const startedAt = performance.now();
      expect(await login(account, password)).toMatchObject({ status: 401 });
      least[at] = Math.min(least[at] ?? Infinity, performance.now() - startedAt);
    }
  }
  return least as [number, number];
}

beforeEach(() => {
  verifyPassword.mockReset().mockImplementation(isOldHash);
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
  expect(known.body).toEqual((await login(NOBODY, PASSWORD)).body);
  expect(verifyPassword).not.toHaveBeenCalled();
  const [withoutPassword, unknown] = await leastMs([none, NOBODY], PASSWORD);
  // Without the hashing, it would be a tenth or less.
  expect(withoutPassword).toBeGreaterThan(unknown / 3);
});

it.each([PASSWORD, "x".repeat(2000)])(
  "answers who has a hash of the app's no sooner than somebody unknown (%#)",
  async (password) => {
    verifyPassword.mockReturnValue(false);
    const [known, unknown] = await leastMs([add("a hash that is verified in no time"), NOBODY], password);
    expect(known).toBeGreaterThan(unknown / 2);
  },
);
