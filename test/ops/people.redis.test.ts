import { randomUUID } from "node:crypto";
import type { Person } from "../../src/accounts/directory";
import { createBase } from "../../src/core";
import type { People } from "../../src/ops/people";
import type { Redis } from "../../src/redis/redis";
import { call, expectRefusal, login, me, PASSWORD, refresh, register } from "../helpers/client";
import { readDeeds, readEvents } from "../helpers/events";
import { SETTINGS, SHARDS, useCore } from "../helpers/ops";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));
const core = useCore(redis);

let people: People;
beforeAll(() => {
  people = core.people;
});

/** By what their first lines say. */
const SCRIPTS = {
  end: "-- Ends one of a user's sessions",
  release: "-- Frees an e-mail address",
  delete: "-- Deletes an account",
};

/** Ops in a process that is killed right before this script runs. */
function killedBefore(last: keyof typeof SCRIPTS): People {
  const run: Redis["run"] = (script, ...rest) =>
    script.lua.includes(SCRIPTS[last])
      ? Promise.reject(new Error("the process was killed here"))
      : core.redis.run(script, ...rest);
  return createBase({ ...SETTINGS, ...core, issuers: [], redis: { ...core.redis, run, runConfirmed: run } })
    .people;
}

const NEXT = "another unlikely passphrase";
const ACTOR = { by: "cli:ada@desk", note: "ticket 7" };
const someEmail = () => `${randomUUID()}@example.com`;

const tryLogin = (email: string, password = PASSWORD) =>
  call(service.url, "POST", "/api/auth/login", { body: { email, password } });

/** What the events say was done to somebody, by whom and why. */
async function toldOf(id: string): Promise<string[]> {
  const deeds = (await readDeeds(redis)).filter(({ sub }) => sub === id);
  return deeds.map(({ event, by, note, kind }) => [event, by, note, ...(kind ? [kind] : [])].join(" | "));
}

const act = (event: string, kind?: string) =>
  [event, ACTOR.by, ACTOR.note, ...(kind === undefined ? [] : [kind])].join(" | ");

async function listed(search?: string, among = people): Promise<Person[]> {
  const found: Person[] = [];
  for await (const batch of among.list(search)) found.push(...batch.people);
  return found;
}

async function expectEnded({ access_token, refresh_token }: { access_token: string; refresh_token: string }) {
  expectRefusal(await me(service.url, access_token), 401, "token_revoked");
  expectRefusal(await refresh(service.url, refresh_token), 401, "refresh_token_invalid");
}

describe("an account that is added", () => {
  it("has its roles in the first token, and an event says who added it", async () => {
    const email = someEmail();
    const added = await people.add(
      { email: email.toUpperCase(), password: PASSWORD, roles: ["ops", "ops"] },
      ACTOR,
    );
    expect(added).toMatchObject({ email, roles: ["ops"], disabledAt: null });
    expect((await login(service.url, email)).user).toEqual({ id: added.id, email, roles: ["ops"] });
    expect(await toldOf(added.id)).toEqual([act("user_added")]);
  });

  it.each([
    ["email", { email: "nobody", password: PASSWORD, roles: [] }],
    ["password", { email: "ada@example.com", password: "short", roles: [] }],
    ["roles", { email: "ada@example.com", password: PASSWORD, roles: ["ops,admin"] }],
    ["roles", { email: "ada@example.com", password: PASSWORD, roles: [""] }],
    ["roles", { email: "ada@example.com", password: PASSWORD, roles: ["Ops"] }],
  ])("is refused for its %s, and nothing is left of it", async (path, account) => {
    const before = await redis.admin.dbsize();
    await expect(people.add(account, ACTOR)).rejects.toMatchObject({
      code: "invalid_request",
      details: [{ path }],
    });
    expect(await redis.admin.dbsize()).toBe(before);
  });

  it("doesn't take somebody else's address", async () => {
    const { user } = await register(service.url);
    const added = people.add({ email: user.email, password: PASSWORD, roles: ["ops"] }, ACTOR);
    await expect(added).rejects.toMatchObject({ code: "email_taken" });
    expect((await people.find(user.id)).roles).toEqual([]);
  });
});

describe("accounts", () => {
  it("are listed, each once, and found by any literal part of the address", async () => {
    const tag = randomUUID().slice(0, 8);
    const emails = [`a*${tag}@example.com`, `ab${tag}@example.com`, `[a]?${tag}@example.com`].filter(
      (email) => !/[[\]]/.test(email),
    );
    for (const email of emails) await people.add({ email, password: PASSWORD, roles: [] }, ACTOR);
    const all = (await listed()).map(({ email }) => email);
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual(expect.arrayContaining(emails));
    expect((await listed(tag)).map(({ email }) => email).sort()).toEqual([...emails].sort());
    expect((await listed(`A*${tag}`)).map(({ email }) => email)).toEqual([emails[0]]);
    expect(await listed(`?${tag}`)).toEqual([]);
    expect(Object.keys((await listed(tag))[0] ?? {})).toEqual([
      "id",
      "email",
      "roles",
      "createdAt",
      "disabledAt",
    ]);
  });

  it("are found by id and by any spelling of the address", async () => {
    const { user } = await register(service.url, `${randomUUID()}@bücher.example`);
    for (const name of [user.id, user.email, user.email.replace("xn--bcher-kva", "BÜCHER")]) {
      expect((await people.find(name)).id).toBe(user.id);
    }
  });
});

describe("whoever is disabled", () => {
  it("is logged out everywhere, and can neither log in, refresh nor change the password", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    const { disabledAt } = await people.disable(phone.user.email, ACTOR);
    expect(Date.parse(disabledAt ?? "")).toBeLessThanOrEqual(Date.now());
    for (const tokens of [phone, tablet]) await expectEnded(tokens);
    expectRefusal(await tryLogin(phone.user.email), 401, "invalid_credentials");
    expect(await toldOf(phone.user.id)).toEqual([
      act("user_disabled"),
      act("revoked_by_ops", "session"),
      act("revoked_by_ops", "session"),
    ]);
    expect((await people.disable(phone.user.id, ACTOR)).disabledAt).toBe(disabledAt);
  });

  it("gets the answer of a wrong password, after as long", async () => {
    const { user } = await register(service.url);
    await people.disable(user.id, ACTOR);
    const durations = { disabled: [] as number[], wrong: [] as number[] };
    for (let round = 0; round < 5; round += 1) {
      for (const [name, password] of [
        ["disabled", PASSWORD],
        ["wrong", "not the password"],
      ] as const) {
        const since = performance.now();
        const answer = await tryLogin(user.email, password);
        durations[name].push(performance.now() - since);
        expectRefusal(answer, 401, "invalid_credentials");
      }
    }
    const fastest = (of: number[]) => Math.min(...of);
    expect(fastest(durations.disabled)).toBeGreaterThan(fastest(durations.wrong) / 2);
  });

  it("can log in once enabled, and no session comes back", async () => {
    const before = await register(service.url);
    await people.disable(before.user.id, ACTOR);
    expect((await people.enable(before.user.id, ACTOR)).disabledAt).toBeNull();
    await expectEnded(before);
    const after = await login(service.url, before.user.email);
    expect((await me(service.url, after.access_token)).status).toBe(200);
    // Nobody is logged out by enabling who isn't disabled.
    await people.enable(before.user.id, ACTOR);
    expect((await me(service.url, after.access_token)).status).toBe(200);
    expect((await toldOf(before.user.id)).filter((told) => told.startsWith("user_enabled"))).toHaveLength(1);
  });

  it("gets no session back even if disabling failed before it had ended them", async () => {
    const before = await register(service.url);
    await expect(killedBefore("end").disable(before.user.id, ACTOR)).rejects.toThrow();
    expectRefusal(await refresh(service.url, before.refresh_token), 401, "refresh_token_invalid");
    expectRefusal(await me(service.url, before.access_token), 401, "token_revoked");
    await people.enable(before.user.id, ACTOR);
    await expectEnded(before);
  });
});

describe("roles", () => {
  it("are replaced, and every token with the old ones is refused", async () => {
    const before = await register(service.url);
    expect((await people.grant(before.user.email, ["ops", "analyst"], ACTOR)).roles).toEqual([
      "ops",
      "analyst",
    ]);
    await expectEnded(before);
    expect((await login(service.url, before.user.email)).user.roles).toEqual(["ops", "analyst"]);
    expect((await people.grant(before.user.id, [], ACTOR)).roles).toEqual([]);
    expect((await login(service.url, before.user.email)).user.roles).toEqual([]);
    expect((await toldOf(before.user.id))[0]).toBe(act("user_roles_changed"));
  });

  it("that were granted by a command that was killed then are completed by running it again", async () => {
    const before = await register(service.url);
    await expect(killedBefore("end").grant(before.user.id, ["ops"], ACTOR)).rejects.toThrow();
    await people.grant(before.user.id, ["ops"], ACTOR);
    await expectEnded(before);
  });
});

describe("a password that is set", () => {
  it("is the only one from then on, and ends all sessions", async () => {
    const before = await register(service.url);
    await people.setPassword(before.user.email, NEXT, ACTOR);
    await expectEnded(before);
    expectRefusal(await tryLogin(before.user.email), 401, "invalid_credentials");
    await login(service.url, before.user.email, NEXT);
    expect((await toldOf(before.user.id))[0]).toBe(act("user_password_set"));
    expect(JSON.stringify(await readEvents(redis))).not.toMatch(/argon2|unlikely/);
  });

  it("must be one that registration would accept", async () => {
    const before = await register(service.url);
    await expect(people.setPassword(before.user.id, before.user.email, ACTOR)).rejects.toMatchObject({
      code: "invalid_request",
    });
    expect((await me(service.url, before.access_token)).status).toBe(200);
  });
});

describe("an account that is deleted", () => {
  it("is logged out and gone, and its address is free", async () => {
    const before = await register(service.url);
    const { id, email } = before.user;
    expect(await people.delete(email, ACTOR)).toBe(id);
    await expectEnded(before);
    expect(await redis.admin.exists(`curfew:user:${id}`, `curfew:user-email:${email}`)).toBe(0);
    expect((await register(service.url, email)).user.id).not.toBe(id);
    expect((await toldOf(id)).at(-1)).toBe(act("user_deleted"));
  });

  it.each(["release", "delete"] as const)(
    "by a command that was killed before its %s is gone once it is run again",
    async (step) => {
      const before = await register(service.url);
      const { id, email } = before.user;
      await expect(killedBefore(step).delete(id, ACTOR)).rejects.toThrow();
      expectRefusal(await tryLogin(email), 401, "invalid_credentials");
      await people.delete(id, ACTOR);
      await expectEnded(before);
      expect(await redis.admin.exists(`curfew:user:${id}`, `curfew:user-email:${email}`)).toBe(0);
    },
  );

  it("leaves an address alone that is somebody else's by now", async () => {
    const { user } = await register(service.url);
    await redis.admin.set(`curfew:user-email:${user.email}`, "somebody-else");
    await people.delete(user.id, ACTOR);
    expect(await redis.admin.get(`curfew:user-email:${user.email}`)).toBe("somebody-else");
  });

  it("whose record was lost gives its address back all the same", async () => {
    const { user } = await register(service.url);
    await redis.admin.del(`curfew:user:${user.id}`);
    expect(await people.delete(user.email, ACTOR)).toBe(user.id);
    await register(service.url, user.email);
  });
});

it.each([
  ["find", () => people.find("nobody")],
  ["grant", () => people.grant("nobody", ["ops"], ACTOR)],
  ["disable", () => people.disable("nobody@example.com", ACTOR)],
  ["enable", () => people.enable("nobody", ACTOR)],
  ["setPassword", () => people.setPassword("nobody", NEXT, ACTOR)],
  ["delete", () => people.delete("nobody", ACTOR)],
  ["sessions", () => people.sessions("nobody")],
])("%s of nobody is not_found and writes nothing", async (_name, attempt) => {
  const [before, told] = [await redis.admin.dbsize(), (await readEvents(redis)).length];
  await expect(attempt()).rejects.toMatchObject({ code: "not_found" });
  expect(await redis.admin.dbsize()).toBe(before);
  expect(await readEvents(redis)).toHaveLength(told);
});

it("an account that is deleted while it is changed doesn't come back as half of one", async () => {
  for (let round = 0; round < 20; round += 1) {
    const { user } = await register(service.url);
    await Promise.allSettled([
      people.delete(user.id, ACTOR),
      people.grant(user.id, ["ops"], ACTOR),
      people.setPassword(user.id, NEXT, ACTOR),
      people.enable(user.id, ACTOR),
    ]);
    expect(await redis.admin.exists(`curfew:user:${user.id}`)).toBe(0);
  }
});

describe("sessions", () => {
  it("are listed with their devices", async () => {
    const { user } = await register(service.url);
    await login(service.url, user.email);
    const listed = await people.sessions(user.email);
    expect(listed).toHaveLength(2);
    expect(listed[0]).toMatchObject({
      ip: expect.stringContaining("127.0.0.1") as string,
      userAgent: "node",
    });
    await people.disable(user.id, ACTOR);
    expect(await people.sessions(user.id)).toEqual([]);
  });
});

describe("with several shards", () => {
  const other = useRedis();
  const sharded = useCore(other, { shards: SHARDS });

  it("everybody is listed, found and deleted, whichever shard they and their addresses are in", async () => {
    const emails = Array.from({ length: 12 }, someEmail);
    for (const email of emails)
      await sharded.people.add({ email, password: PASSWORD, roles: ["ops"] }, ACTOR);
    const found = await listed("", sharded.people);
    expect(found.map(({ email }) => email).sort()).toEqual([...emails].sort());
    for (const { id, email } of found) {
      expect((await sharded.people.find(email)).id).toBe(id);
      await sharded.people.delete(email, ACTOR);
    }
    expect(await other.admin.keys("curfew:*:user*")).toEqual([]);
  });
});
