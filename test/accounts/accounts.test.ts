import url from "node:url";
import { createAccounts, normaliseEmail } from "../../src/accounts/accounts";
import type { Redis } from "../../src/redis/redis";
import { createOneShard } from "../../src/redis/shards";

afterEach(() => {
  jest.restoreAllMocks();
});

describe("an e-mail address", () => {
  it("has at most 254 characters, as it is typed and as it is kept", () => {
    const local = "a".repeat(64);
    const domain = [63, 63, 61].map((length) => "b".repeat(length)).join(".");
    const longest = `${local}@${domain}`;
    expect(longest).toHaveLength(254);
    expect(normaliseEmail(`  ${longest}\n`)).toBe(longest);
    expect(normaliseEmail(`${longest}b`)).toBeUndefined();
    // 200 letters of three units each in the domain's ASCII form.
    expect(normaliseEmail(`a@${"é".repeat(200)}.example`)).toBeUndefined();
  });

  it.each([
    ["in letters of its domain", `a@${"é".repeat(5000)}.example`],
    ["in combining marks", `a@b${"\u0301\u0316".repeat(4000)}.example`],
    ["once NFKC has made four letters of each", `a@${"㌀".repeat(250)}`],
  ])("that is too long costs no more than one that isn't: %s", (_title, text) => {
    const normalize = jest.spyOn(String.prototype, "normalize");
    const toAscii = jest.spyOn(url, "domainToASCII");
    expect(normaliseEmail(text)).toBeUndefined();
    for (const typed of normalize.mock.contexts) expect(String(typed).length).toBeLessThanOrEqual(254);
    for (const [domain] of toAscii.mock.calls) expect(domain.length).toBeLessThanOrEqual(254);
  });
});

/** A Redis that takes its time with each command, and tells when each began and was done. */
function createSlowRedis(isFree: boolean) {
  const seen: string[] = [];
  const slowly =
    (name: string, answer: unknown) =>
    async (key: string): Promise<unknown> => {
      const what = `${name} ${key.replace(/[0-9a-f-]{36}/, "<id>")}`;
      seen.push(what);
      await new Promise(setImmediate);
      seen.push(`${what}: done`);
      return answer;
    };
  const client = { hset: slowly("HSET", 4), set: slowly("SET", isFree ? "OK" : null), del: slowly("DEL", 1) };
  const redis = { ask: (command: (commands: object) => unknown) => command(client) } as unknown as Redis;
  return { seen, accounts: createAccounts(redis, createOneShard("curfew:")) };
}

describe("an account", () => {
  const [account, claim] = ["HSET curfew:user:<id>", "SET curfew:user-email:a@b.example"];

  it("exists before its address is claimed, so that a crash in between leaves no address taken by nobody", async () => {
    const { seen, accounts } = createSlowRedis(true);
    await expect(accounts.create("a@b.example", "hash")).resolves.toMatchObject({ email: "a@b.example" });
    expect(seen).toEqual([account, `${account}: done`, claim, `${claim}: done`]);
  });

  it("is taken back when its address is somebody's already", async () => {
    const { seen, accounts } = createSlowRedis(false);
    await expect(accounts.create("a@b.example", "hash")).rejects.toMatchObject({ code: "email_taken" });
    expect(seen.slice(4)).toEqual(["DEL curfew:user:<id>", "DEL curfew:user:<id>: done"]);
  });
});
