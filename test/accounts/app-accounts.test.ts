import { CurfewError, type Account, type Accounts } from "../../src/index";
import { readAccounts } from "../../src/accounts/app-accounts";

const ACCOUNT: Account = {
  ...{ id: "1", email: "ada@example.com", roles: ["analyst"], createdAt: "2030-01-01T00:00:00.000Z" },
  passwordHash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
};

/** A class, as an app might have it: what it keeps is found by `this`. */
class Users {
  constructor(private readonly answer: unknown) {}
  create = () => Promise.resolve(this.answer);
  findByEmail(): Promise<unknown> {
    return Promise.resolve(this.answer);
  }
  findById(): Promise<unknown> {
    return Promise.resolve(this.answer);
  }
  replacePasswordHash(): Promise<unknown> {
    return Promise.resolve(this.answer);
  }
}

const of = (answer: unknown): Accounts => readAccounts(new Users(answer));

it("takes an account for what it is, and null or undefined for none", async () => {
  expect(await of(ACCOUNT).findById("1")).toEqual(ACCOUNT);
  expect(await of({ ...ACCOUNT, more: 1 }).findByEmail("x")).toEqual(ACCOUNT);
  const disabled = { ...ACCOUNT, disabledAt: ACCOUNT.createdAt };
  expect(await of(disabled).findById("1")).toEqual(disabled);
  for (const nothing of [null, undefined]) expect(await of(nothing).findById("1")).toBeUndefined();
});

it.each([
  ["no account", "yes"],
  ["an id that is no text", { ...ACCOUNT, id: 1 }],
  ["an empty id", { ...ACCOUNT, id: "" }],
  ["no roles", { ...ACCOUNT, roles: undefined }],
  ["a role that would read as two", { ...ACCOUNT, roles: ["analyst,ops"] }],
  ["another kind of hash", { ...ACCOUNT, passwordHash: "$2b$12$abcdefgh" }],
])("makes a fault of %s, and repeats none of it", async (_title, answer) => {
  for (const ask of [of(answer).findById("1"), of(answer).findByEmail("x"), of(answer).create("x", "y")]) {
    const error = await ask.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).message).toMatch(/^accounts\.\w+\(\) didn't return an account/);
    expect((error as TypeError).message).not.toMatch(/\$2b|ada@/);
  }
});

it("makes a fault of ours of whatever is thrown, and an answer only of a CurfewError", async () => {
  const failing = (thrown: unknown) => {
    const fail = () => {
      throw thrown;
    };
    return readAccounts({
      ...{ create: fail, findByEmail: fail, findById: fail, replacePasswordHash: fail },
      verifyPassword: fail,
    });
  };
  const callAll = (accounts: Accounts) =>
    Promise.allSettled([
      accounts.create("x", "y"),
      accounts.findByEmail("x"),
      accounts.findById("1"),
      accounts.replacePasswordHash("1", "a", "b"),
      accounts.verifyPassword?.(ACCOUNT, "x"),
    ]);
  const gone = Object.assign(new Error("not found upstream"), { status: 404 });
  for (const thrown of [gone, undefined, "route"]) {
    for (const settled of await callAll(failing(thrown))) {
      expect(settled).toMatchObject({ status: "rejected", reason: { code: "internal", cause: thrown } });
    }
  }
  const taken = new CurfewError("email_taken");
  for (const settled of await callAll(failing(taken))) expect(settled).toHaveProperty("reason", taken);
});

it("takes only true for done when a password is replaced", async () => {
  for (const answer of [1, "OK", undefined, { rowCount: 0 }]) {
    expect(await of(answer).replacePasswordHash("1", "a", "b")).toBe(false);
  }
  expect(await of(true).replacePasswordHash("1", "a", "b")).toBe(true);
});

it("takes any hash from an app that verifies passwords itself, but no empty one", async () => {
  const accountWith = (passwordHash: string | null) =>
    readAccounts(
      Object.assign(new Users({ ...ACCOUNT, passwordHash }), { verifyPassword: () => true }),
    ).findById("1");
  for (const hash of ["$2b$12$abcdefgh", null]) expect(await accountWith(hash)).toBeDefined();
  await expect(accountWith("")).rejects.toThrow("passwordHash is invalid");
});
