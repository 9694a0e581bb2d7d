import { createPasswords } from "../src/passwords";

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
