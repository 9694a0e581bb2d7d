import { verify } from "@node-rs/argon2";
import { createAuth, type AuthParts } from "../../src/auth/auth";
import { NOBODY } from "../../src/denylist/entry";
import { createPasswords } from "../../src/accounts/passwords";

/** Its exports can't be spied on one by one. */
jest.mock("@node-rs/argon2", () => {
  const actual = jest.requireActual<{ verify: typeof verify }>("@node-rs/argon2");
  return { ...actual, verify: jest.fn(actual.verify) };
});

const passwords = createPasswords(8);

afterEach(() => {
  jest.restoreAllMocks();
});

it("a password may have 1024 characters, and matches as a whole", async () => {
  const longest = "😀".repeat(1024);
  expect(passwords.isTooLong(longest)).toBe(false);
  expect(passwords.objection(longest, "")).toBeUndefined();
  const hash = await passwords.hash(longest);
  expect(await passwords.verify(hash, longest)).toBe(true);
  expect(await passwords.verify(hash, "😀".repeat(1023))).toBe(false);
});

it("one that is longer never matches, and costs no more than any that is wrong", async () => {
  // Combining marks: NFKC sorts them, in the square of their number.
  const endless = `a${"\u0301\u0316".repeat(4000)}`;
  const hashes = [endless, ""].map((password) => passwords.hash(password));
  const [itsOwn, ofNothing] = await Promise.all(hashes);
  const normalize = jest.spyOn(String.prototype, "normalize");
  for (const hash of [itsOwn, ofNothing, undefined]) {
    expect(await passwords.verify(hash, endless)).toBe(false);
  }
  expect(passwords.objection(endless, "")).toBe("must have at most 1024 characters");
  for (const typed of normalize.mock.contexts) expect(String(typed).length).toBeLessThanOrEqual(2048);
});

describe("whether somebody has an account isn't told by time", () => {
  const argon2Verify = jest.mocked(verify);
  beforeEach(() => argon2Verify.mockClear());

  it("without a hash a password is hashed once, and with today's parameters", async () => {
    const parametersOf = (hash: unknown) => String(hash).split("$").slice(0, 4);
    const todays = parametersOf(await passwords.hash("an unlikely passphrase"));
    expect(await passwords.verify(undefined, "an unlikely passphrase")).toBe(false);
    const hashed = argon2Verify.mock.calls.map(([hash, password]) => [parametersOf(hash), password]);
    expect(hashed).toEqual([[todays, "an unlikely passphrase"]]);
  });

  it("a login that fails hashes its password once, whether or not there is an account", async () => {
    const passwordHash = await passwords.hash("another unlikely passphrase");
    for (const account of [{ id: "1", passwordHash }, undefined]) {
      argon2Verify.mockClear();
      const accounts = { findByEmail: () => Promise.resolve(account) };
      const auth = createAuth({ accounts, passwords } as unknown as AuthParts);
      await expect(auth.login("a@b.example", "an unlikely passphrase", NOBODY)).rejects.toMatchObject({
        code: "invalid_credentials",
      });
      expect(argon2Verify.mock.calls.map(([, password]) => password)).toEqual(["an unlikely passphrase"]);
    }
  });
});
