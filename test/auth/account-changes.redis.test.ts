import { randomUUID } from "node:crypto";
import { createAccounts, type Accounts } from "../../src/accounts/accounts";
import { NOBODY } from "../../src/denylist/entry";
import type { AccessToken } from "../../src/tokens/access-tokens";
import { PASSWORD } from "../helpers/client";
import { readDeeds } from "../helpers/events";
import { useCore } from "../helpers/ops";
import { useRedis } from "../helpers/redis";

/** The worst moments are few and short: here an instance's look at an account takes as long as a test wants it to. */
const redis = useRedis();
const core = useCore(redis, { around: interrupted });

let meanwhile: Partial<Record<keyof Accounts, (id: string) => Promise<unknown>>>;
beforeEach(() => {
  meanwhile = {};
});

/** Once one of these has answered, something happens, once, before anybody hears the answer. */
function interrupted(accounts: Accounts): Accounts {
  async function then<T>(name: keyof Accounts, id: (answer: T) => string | undefined, answer: T): Promise<T> {
    const happen = meanwhile[name];
    const whose = id(answer);
    if (happen && whose !== undefined) {
      meanwhile = {};
      await happen(whose);
    }
    return answer;
  }
  return {
    create: async (...args) => then("create", ({ id }) => id, await accounts.create(...args)),
    findByEmail: async (email) =>
      then("findByEmail", (found) => found?.id, await accounts.findByEmail(email)),
    findById: async (id) => then("findById", () => id, await accounts.findById(id)),
    replacePasswordHash: async (id, ...args) =>
      then("replacePasswordHash", () => id, await accounts.replacePasswordHash(id, ...args)),
  };
}

const ACTOR = { by: "cli:ada@desk" };
const NEXT = "another unlikely passphrase";
const CHANGES = {
  disabled: (id: string) => core.people.disable(id, ACTOR),
  deleted: (id: string) => core.people.delete(id, ACTOR),
  "given another password": (id: string) => core.people.setPassword(id, NEXT, ACTOR),
};
const changes = Object.entries(CHANGES);

const register = () => core.auth.register(`${randomUUID()}@example.com`, PASSWORD, NOBODY);
const login = (email: string) => core.auth.login(email, PASSWORD, NOBODY);
const refresh = (text: string) => {
  const request = { token: core.refreshTokens.verify(text), beside: undefined, keepYoung: false };
  return core.auth.refresh(request, NOBODY);
};
const claimsOf = async (text: string) => (await core.tokens.verify(text)) as AccessToken;
const isAlive = async (text: string) => {
  const claims = await claimsOf(text);
  return core.denylist.assertNotRevoked(claims).then(
    () => true,
    () => false,
  );
};
const sessionsOf = (id: string) => core.sessions.list(id);

describe.each(changes)("somebody who is %s", (title, change) => {
  it("while logging in gets no session", async () => {
    const { account } = await register();
    meanwhile.findByEmail = change;
    await expect(login(account.email)).rejects.toMatchObject({ code: "invalid_credentials" });
    expect(await sessionsOf(account.id)).toEqual([]);
  });

  it("while registering gets no session", async () => {
    let id = "";
    meanwhile.create = (created) => change((id = created));
    // An account that is gone at once was lost, for all that can be told.
    const code = title === "deleted" ? "denylist_unavailable" : "invalid_credentials";
    await expect(register()).rejects.toMatchObject({ code });
    expect(await sessionsOf(id)).toEqual([]);
  });

  it("while refreshing gets no token", async () => {
    const { account, refreshToken, accessToken } = await register();
    meanwhile.findById = change;
    await expect(refresh(refreshToken)).rejects.toMatchObject({ code: "refresh_token_invalid" });
    expect(await isAlive(accessToken)).toBe(false);
    expect(await sessionsOf(account.id)).toEqual([]);
  });

  it.each(["findById", "replacePasswordHash"] as const)(
    "while changing the password, after %s, gets no session",
    async (step) => {
      const { account, accessToken } = await register();
      const caller = await claimsOf(accessToken);
      meanwhile[step] = change;
      const assertMayTry = () => Promise.resolve();
      const third = { current: PASSWORD, next: "a third unlikely passphrase", assertMayTry };
      await expect(core.auth.changePassword(caller, third, NOBODY)).rejects.toMatchObject({
        code: "invalid_credentials",
      });
      expect(await sessionsOf(account.id)).toEqual([]);
    },
  );
});

describe("somebody who gets other roles", () => {
  const change = (id: string) => core.people.grant(id, ["ops"], ACTOR);

  it("while logging in gets a token with those", async () => {
    const { account, accessToken } = await register();
    meanwhile.findByEmail = change;
    const granted = await login(account.email);
    expect((await claimsOf(granted.accessToken)).roles).toEqual(["ops"]);
    expect(granted.account.roles).toEqual(["ops"]);
    expect(await isAlive(granted.accessToken)).toBe(true);
    expect(await isAlive(accessToken)).toBe(false);
  });

  it("while registering gets a token with those", async () => {
    meanwhile.create = change;
    expect((await claimsOf((await register()).accessToken)).roles).toEqual(["ops"]);
  });

  it("while refreshing must log in again, because the token might have had the old ones", async () => {
    const { refreshToken } = await register();
    meanwhile.findById = change;
    await expect(refresh(refreshToken)).rejects.toMatchObject({ code: "refresh_token_invalid" });
  });

  it("right after a refresh that hasn't been answered yet has no token with the old ones", async () => {
    const { account, refreshToken } = await register();
    const granted = await refresh(refreshToken);
    await change(account.id);
    expect(await isAlive(granted.accessToken)).toBe(false);
  });
});

it("a session that is ended for that says so in the events", async () => {
  const { account } = await register();
  meanwhile.findByEmail = CHANGES.disabled;
  await expect(login(account.email)).rejects.toThrow();
  const last = (await readDeeds(redis)).filter(({ sub }) => sub === account.id).at(-1);
  expect(last).toMatchObject({ event: "revoked_by_ops", kind: "session", by: "curfew" });
});

it("whoever is disabled can't change the password, and the one that there is stays", async () => {
  const { account } = await register();
  await core.people.disable(account.id, ACTOR);
  const accounts = createAccounts(core.redis, core.shards);
  expect(await accounts.replacePasswordHash(account.id, account.passwordHash ?? "", "another")).toBe(false);
  expect((await accounts.findById(account.id))?.passwordHash).toBe(account.passwordHash);
});
