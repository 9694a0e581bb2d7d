import { randomUUID } from "node:crypto";
import { hash } from "@node-rs/argon2";
import { call, expectRefusal, login, me, PASSWORD, refresh, register, type Answer } from "../helpers/client";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url, PASSWORD_MIN_LENGTH: "8" }));

const post = (path: string, body: unknown, token?: string) =>
  call(service.url, "POST", `/api/auth/${path}`, { body, ...(token && { token }) });

describe("an e-mail address", () => {
  it("is one account in every spelling", async () => {
    const name = `a${randomUUID()}`;
    const { user } = await register(service.url, `${name}@bücher.example`);
    expect(user.email).toBe(`${name}@xn--bcher-kva.example`);
    const fullwidth = String.fromCodePoint("a".charCodeAt(0) + 0xfee0) + name.slice(1);
    for (const spelling of [
      `${name.toUpperCase()}@BÜCHER.example`,
      `  ${name}@xn--bcher-kva.example `,
      `${fullwidth}@bücher．example`,
    ]) {
      expectRefusal(await post("register", { email: spelling, password: PASSWORD }), 409, "email_taken");
      expect((await login(service.url, spelling)).user.id).toBe(user.id);
    }
  });

  it.each([
    "",
    "x",
    "@",
    "a@",
    "@b",
    "a@b@c",
    "a@b.example/c",
    "a@b.example#c",
    "a@%78.example",
    "a@b\\c.example",
    "a@1",
    "a@127.0.0.1",
    "a b@c.example",
    "a@b c.example",
    "a\u0000@b.example",
    `${"a".repeat(250)}@b.example`,
  ])("is refused when it is none: %j", async (email) => {
    const answer = await post("register", { email, password: PASSWORD });
    expectRefusal(answer, 400, "invalid_request");
    expect(answer.body).toMatchObject({ details: [{ path: "email" }] });
  });

  it("is given to one of many who register it at once, and the others leave nothing behind", async () => {
    const email = `${randomUUID()}@example.com`;
    const before = (await redis.admin.keys("curfew:user:*")).length;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post("register", { email, password: PASSWORD })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
    expect(await redis.admin.keys("curfew:user:*")).toHaveLength(before + 1);
  });
});

describe("a password", () => {
  const tryPassword = (password: unknown) =>
    post("register", { email: `${randomUUID()}@example.com`, password });

  it.each([
    ["eight characters, counted as code points", "😀q😀w😀e😀r"],
    ["128 characters", "long ".repeat(25) + "end"],
    ["digits only", "9182736450"],
    ["with space around it", "  spacious  "],
    ["with a NUL in it", "a\u0000bcdefgh"],
  ])("is accepted: %s", async (_title, password) => {
    const email = `${randomUUID()}@example.com`;
    expect((await post("register", { email, password })).status).toBe(201);
    expect((await post("login", { email, password })).status).toBe(200);
    expectRefusal(
      await post("login", { email, password: password.trim() + "x" }),
      401,
      "invalid_credentials",
    );
  });

  it.each([
    ["too short", "short 7"],
    ["too short in code points, though not in bytes", "😀😀😀😀"],
    ["common", "password1"],
    ["common, in capitals", "PASSWORD1"],
    ["not a string", 12345678],
    ["missing", undefined],
    ["longer than 1024 characters", "x".repeat(1025)],
  ])("is refused with a reason: %s", async (_title, password) => {
    const answer = await tryPassword(password);
    expectRefusal(answer, 400, "invalid_request");
    expect(answer.body).toMatchObject({
      details: [{ path: "password", message: expect.any(String) as string }],
    });
  });

  it("may not be the e-mail address", async () => {
    const email = `${randomUUID()}@example.com`;
    expectRefusal(await post("register", { email, password: email.toUpperCase() }), 400, "invalid_request");
  });

  it("counts as a whole: one that is equal in its first 72 bytes does not log in", async () => {
    const email = `${randomUUID()}@example.com`;
    const common = "x1y2z3-".repeat(11);
    expect((await post("register", { email, password: `${common}a` })).status).toBe(201);
    expectRefusal(await post("login", { email, password: `${common}b` }), 401, "invalid_credentials");
  });

  it("is the same password on every keyboard", async () => {
    const email = `${randomUUID()}@example.com`;
    expect((await post("register", { email, password: "Zürich Café".normalize("NFC") })).status).toBe(201);
    expect((await post("login", { email, password: "Zürich Café".normalize("NFD") })).status).toBe(200);
  });

  it("is kept as argon2id with OWASP's parameters and a salt of its own", async () => {
    const [one, two] = [await register(service.url), await register(service.url)];
    const hashes = await Promise.all(
      [one, two].map(({ user }) => redis.admin.hget(`curfew:user:${user.id}`, "password_hash")),
    );
    for (const hash of hashes)
      expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  it("is hashed anew at login when it was hashed with other parameters", async () => {
    const { user } = await register(service.url);
    const key = `curfew:user:${user.id}`;
    // m=8192, t=1 of the same password.
    await redis.admin.hset(key, "password_hash", await hash(PASSWORD, { memoryCost: 8192, timeCost: 1 }));
    await login(service.url, user.email);
    expect(await redis.admin.hget(key, "password_hash")).toMatch(/m=19456,t=2,p=1/);
    await login(service.url, user.email);
  });
});

describe("login", () => {
  it("answers alike whether the account exists or not", async () => {
    const { user } = await register(service.url);
    const answers = await Promise.all(
      [user.email, `${randomUUID()}@example.com`, "not an address"].map((email) =>
        post("login", { email, password: "not the password" }),
      ),
    );
    for (const answer of answers) expectRefusal(answer, 401, "invalid_credentials");
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const ofEach = ["date", "x-request-id"];
    const headersOf = ({ headers }: Answer) =>
      [...headers].filter(([name]) => !ofEach.includes(name)).join("\n");
    expect(new Set(answers.map(headersOf)).size).toBe(1);
  });

  it("takes strings only, and no keys that it doesn't know", async () => {
    for (const body of [
      {},
      [],
      null,
      1,
      { email: ["a@b.example"], password: PASSWORD },
      { email: { $gt: "" }, password: PASSWORD },
      { email: "a@b.example", password: PASSWORD, roles: ["ops"] },
      JSON.parse('{"email":"a@b.example","password":"x","__proto__":{"roles":["ops"]}}') as unknown,
    ]) {
      expectRefusal(await post("login", body), 400, "invalid_request");
      expectRefusal(await post("register", body), 400, "invalid_request");
    }
    expect(({} as { roles?: unknown }).roles).toBeUndefined();
  });

  it("a flood of hashing is bounded: some are told to come again, and checks go on meanwhile", async () => {
    const { user, access_token } = await register(service.url);
    const flood = Array.from({ length: 300 }, () => post("login", { email: user.email, password: PASSWORD }));
    const check = await me(service.url, access_token);
    expect(check.status).toBe(200);
    const answers = await Promise.all(flood);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(300);
    for (const answer of refused) expectRefusal(answer, 503, "overloaded");
    await login(service.url, user.email);
  });
});

describe("a change of password", () => {
  const NEXT = "another unlikely passphrase";

  it("ends every earlier session and answers with a new one", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    const answer = await post(
      "password",
      { current_password: PASSWORD, new_password: NEXT },
      phone.access_token,
    );
    expect(answer.status).toBe(200);
    for (const { access_token, refresh_token } of [phone, tablet]) {
      expectRefusal(await me(service.url, access_token), 401, "token_revoked");
      expectRefusal(await refresh(service.url, refresh_token), 401, "refresh_token_invalid");
    }
    expect((await me(service.url, (answer.body as { access_token: string }).access_token)).status).toBe(200);
    expectRefusal(
      await post("login", { email: phone.user.email, password: PASSWORD }),
      401,
      "invalid_credentials",
    );
    await login(service.url, phone.user.email, NEXT);
  });

  it("changes nothing when the current one is wrong or the new one isn't acceptable", async () => {
    const { access_token, user } = await register(service.url);
    const change = (current_password: string, new_password: string) =>
      post("password", { current_password, new_password }, access_token);
    expectRefusal(await change("wrong", NEXT), 401, "invalid_credentials");
    const answer = await change(PASSWORD, "password");
    expectRefusal(answer, 400, "invalid_request");
    expect(answer.body).toMatchObject({ details: [{ path: "new_password" }] });
    expect((await me(service.url, access_token)).status).toBe(200);
    await login(service.url, user.email);
  });

  it("of two at once lets one win, whose new tokens work", async () => {
    for (let round = 0; round < 10; round += 1) {
      const { access_token, user } = await register(service.url);
      const nexts = ["one unlikely passphrase", "two unlikely passphrases"];
      const answers = await Promise.all(
        nexts.map((next) =>
          post("password", { current_password: PASSWORD, new_password: next }, access_token),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
      const winner = answers.findIndex(({ status }) => status === 200);
      const tokens = answers[winner]?.body as { access_token: string };
      expect((await me(service.url, tokens.access_token)).status).toBe(200);
      await login(service.url, user.email, nexts[winner]);
    }
  });

  it("that failed before it ended the sessions is finished by trying again", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    const change = () =>
      post("password", { current_password: PASSWORD, new_password: NEXT }, phone.access_token);
    await redis.admin.call("ACL", "SETUSER", "curfew", "-zrange");
    expectRefusal(await change(), 503, "denylist_unavailable");
    await redis.admin.call("ACL", "SETUSER", "curfew", "+zrange");
    expect((await me(service.url, tablet.access_token)).status).toBe(200);
    expect((await change()).status).toBe(200);
    expectRefusal(await me(service.url, tablet.access_token), 401, "token_revoked");
    await login(service.url, phone.user.email, NEXT);
  });

  it("leaves no session that the old password opened while it was being changed", async () => {
    for (let round = 0; round < 15; round += 1) {
      const owner = await register(service.url);
      const logins = Array.from({ length: 6 }, () =>
        post("login", { email: owner.user.email, password: PASSWORD }),
      );
      const change = post("password", { current_password: PASSWORD, new_password: NEXT }, owner.access_token);
      const [changed, ...opened] = await Promise.all([change, ...logins]);
      expect(changed.status).toBe(200);
      for (const { status, body } of opened) {
        if (status !== 200) continue;
        const { access_token, refresh_token } = body as { access_token: string; refresh_token: string };
        expectRefusal(await me(service.url, access_token), 401, "token_revoked");
        expectRefusal(await refresh(service.url, refresh_token), 401, "refresh_token_invalid");
      }
      const sessions = await redis.admin.zrange(`curfew:user-sessions:${owner.user.id}`, 0, -1);
      expect(sessions).toHaveLength(1);
    }
  });
});
