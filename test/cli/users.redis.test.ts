import { exec } from "node:child_process";
import { randomUUID } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { promisify } from "node:util";
import { call, expectRefusal, login, me, PASSWORD, register } from "../helpers/client";
import { curfew } from "../helpers/command";
import { readDeeds } from "../helpers/events";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { curfewOnTerminal } from "../helpers/terminal";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));

/** No key is among its settings. */
const env = () => ({ REDIS_URL: redis.url });
const users = (words: string[], input?: string) => curfew(["users", ...words], env(), input);
const NEXT = "another unlikely passphrase";
const someEmail = () => `${randomUUID()}@example.com`;

async function add(...words: string[]) {
  const email = someEmail();
  const { stdout, exitCode, stderr } = await users(["add", email, ...words], `${PASSWORD}\n`);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return { email, id: stdout.trim() };
}

describe("users add", () => {
  it("prints the id of an account that can log in with its roles", async () => {
    const { email, id } = await add("--role", "ops", "--role=analyst,auditor", "--reason", "new colleague");
    const { user } = await login(service.url, email);
    expect(user).toEqual({ id, email, roles: ["ops", "analyst", "auditor"] });
    const [event] = (await readDeeds(redis)).filter(({ sub }) => sub === id);
    expect(event).toMatchObject({
      event: "user_added",
      by: `cli:${userInfo().username}@${hostname()}`,
      note: "new colleague",
    });
  });

  it("reads the password's line to its end, and nothing behind it", async () => {
    const email = someEmail();
    expect((await users(["add", email], ` ${PASSWORD} \r\nmore\n`)).exitCode).toBe(0);
    await login(service.url, email, ` ${PASSWORD} `);
  });

  it("asks for the password twice on a terminal, and shows it neither time", async () => {
    const email = someEmail();
    const answers: [string, string][] = [
      ["Password:", `${PASSWORD}\r`],
      ["again:", `${PASSWORD}\r`],
    ];
    const { exitCode, shown } = curfewOnTerminal(["users", "add", email], env(), { answers });
    expect(exitCode).toBe(0);
    expect(shown).not.toContain("unlikely");
    await login(service.url, email);
  });

  it.each([
    ["that isn't the same twice", "something unlikely else\r", /aren't the same/],
    ["that is broken off", "\u0003", /Nothing was changed/],
  ])("takes no password %s", (_title, again, said) => {
    const answers: [string, string][] = [
      ["Password:", `${PASSWORD}\r`],
      ["again:", again],
    ];
    const { exitCode, shown } = curfewOnTerminal(["users", "add", someEmail()], env(), { answers });
    expect(exitCode).toBe(2);
    expect(shown).toMatch(said);
  });

  it.each([
    ["an address that is none", ["nobody"], PASSWORD, /email must be an e-mail address/],
    ["a password that registration would refuse", [someEmail()], "short", /password must have at least 15/],
    ["no password", [someEmail()], "", /standard input/],
    ["a role that would read as another", [someEmail(), "--role", "Ops!"], PASSWORD, /roles must have/],
    ["a password on the command line", [someEmail(), PASSWORD], "", /more than it takes/],
    ["an endless reason", [someEmail(), "--reason", "x".repeat(257)], PASSWORD, /256 characters/],
    ["an option that isn't one", [someEmail(), "--admin"], PASSWORD, /Unknown option '--admin'/],
    ["nothing", [], PASSWORD, /missing[^]*Usage: curfew users add EMAIL/],
  ])("refuses %s", async (_title, words, password, said) => {
    const before = await redis.admin.dbsize();
    const ended = await users(["add", ...words], `${password}\n`);
    expect(ended).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringMatching(said) as string });
    expect(await redis.admin.dbsize()).toBe(before);
  });

  it("of an address that is taken says what to do", async () => {
    const { email } = await add();
    const ended = await users(["add", email, "--role", "ops"], PASSWORD);
    expect(ended).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("users grant") as string });
    expect((await login(service.url, email)).user.roles).toEqual([]);
  });
});

describe("users list", () => {
  it("is a table, or with --json a line for each account", async () => {
    const { email, id } = await add("--role", "ops");
    const { stdout } = await users(["list", "--search", email.slice(0, 20).toUpperCase()]);
    expect(stdout).toMatch(
      new RegExp(`^ID +E-MAIL +ROLES +CREATED +DISABLED\n${id}  ${email} +ops +\\d{4}-\\d\\d-\\d\\d\n$`),
    );
    const lines = (await users(["list", "--json"])).stdout.trim().split("\n");
    const people = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(people.find((person) => person["id"] === id)).toEqual({
      ...{ id, email, roles: ["ops"], disabled_at: null },
      created_at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
    expect(lines.join()).not.toMatch(/argon2|password/);
  });

  it("of nobody exits with 1 and prints nothing", async () => {
    const ended = await users(["list", "--search", "*"]);
    expect(ended).toMatchObject({ exitCode: 1, stdout: "" });
  });

  it("fits the terminal, with titles in bold there unless NO_COLOR is set", async () => {
    const { email, id } = await add("--role", "a-rather-long-role,another-rather-long-role");
    const list = (more: NodeJS.ProcessEnv) =>
      curfewOnTerminal(["users", "list", "--search", email], { ...env(), ...more }, { columns: 90 }).shown;
    expect(list({})).toContain("\u001B[1mID");
    const [titles = "", row = ""] = list({ NO_COLOR: "1" }).split("\r\n");
    expect(titles).toMatch(/^ID +E-MAIL/);
    expect(row).toMatch(new RegExp(`^${id}  ${email.slice(0, 8)}.*… +a-rather.*…`));
    expect(row.length).toBeLessThanOrEqual(90);
  });

  it("ends when whoever reads it has seen enough", async () => {
    await add();
    const run = promisify(exec);
    const command = `${process.execPath} dist/cli.js users list; echo "ended with $?" >&2`;
    const { stderr } = await run(`(${command}) | true`, { env: { PATH: process.env["PATH"], ...env() } });
    expect(stderr).toBe("ended with 0\n");
  });
});

describe("users grant", () => {
  it.each([
    [["ops,analyst"], ["ops", "analyst"]],
    [
      ["ops", "analyst"],
      ["ops", "analyst"],
    ],
    [["--role", "ops"], ["ops"]],
    [["--no-roles"], []],
    [[""], []],
  ])("with %j gives exactly those roles, and logs the user out", async (words, roles) => {
    const { access_token, user } = await register(service.url);
    expect((await users(["grant", user.email, ...words])).exitCode).toBe(0);
    expectRefusal(await me(service.url, access_token), 401, "token_revoked");
    expect((await login(service.url, user.email)).user.roles).toEqual(roles);
  });

  it.each([[[]], [["ops", "--no-roles"]]])("with %j changes nothing", async (words) => {
    const { access_token, user } = await register(service.url);
    const ended = await users(["grant", user.id, ...words]);
    expect(ended).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--no-roles") as string });
    expect((await me(service.url, access_token)).status).toBe(200);
  });
});

it("users disable, enable and passwd do what they say, with the reason in the events", async () => {
  const { access_token, user } = await register(service.url);
  const tryLogin = (password: string) =>
    call(service.url, "POST", "/api/auth/login", { body: { email: user.email, password } });
  const disabled = await users(["disable", user.email, "--reason", "lost laptop"]);
  expect(disabled).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("is disabled") as string });
  expectRefusal(await me(service.url, access_token), 401, "token_revoked");
  expectRefusal(await tryLogin(PASSWORD), 401, "invalid_credentials");
  expect((await users(["passwd", user.id], `${NEXT}\n`)).exitCode).toBe(0);
  expectRefusal(await tryLogin(NEXT), 401, "invalid_credentials");
  expect((await users(["enable", user.id])).exitCode).toBe(0);
  expectRefusal(await tryLogin(PASSWORD), 401, "invalid_credentials");
  expect((await tryLogin(NEXT)).status).toBe(200);
  const told = (await readDeeds(redis)).filter(({ sub, by }) => sub === user.id && by?.startsWith("cli:"));
  expect(told.map(({ event, note }) => [event, note])).toEqual([
    ["user_disabled", "lost laptop"],
    ["revoked_by_ops", "lost laptop"],
    ["user_password_set", ""],
    ["user_enabled", ""],
  ]);
});

describe("users delete", () => {
  it("needs --yes where nobody can be asked", async () => {
    const { user } = await register(service.url);
    expect((await users(["delete", user.email])).exitCode).toBe(2);
    await login(service.url, user.email);
    expect((await users(["delete", user.email, "--yes"])).exitCode).toBe(0);
    expect((await users(["delete", user.email, "--yes"])).exitCode).toBe(1);
  });

  it("asks on a terminal, and takes only yes for it", async () => {
    const { user } = await register(service.url);
    const answer = (text: string) =>
      curfewOnTerminal(["users", "delete", user.email], env(), { answers: [["[y/N]", text]] });
    expect(answer("\r").exitCode).toBe(2);
    await login(service.url, user.email);
    expect(answer("y\r").exitCode).toBe(0);
    expect(await redis.admin.exists(`curfew:user:${user.id}`)).toBe(0);
  });
});

it.each([["grant", "ops"], ["disable"], ["enable"], ["passwd"], ["delete", "--yes"]])(
  "users %s of nobody exits with 1, and says how to find somebody",
  async (name, ...more) => {
    const ended = await users([name, "no\u001B[31mbody", ...more], `${NEXT}\n`);
    expect(ended).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ended.stderr).toMatch(/^There is no account no\uFFFD\[31mbody\. `curfew users list --search/);
  },
);

it.each([[], ["frob"], ["constructor"]])("users %s exits with 2 and says what there is", async (...words) => {
  const ended = await users(words);
  expect(ended).toMatchObject({
    exitCode: 2,
    stdout: "",
    stderr: expect.stringContaining("users grant") as string,
  });
});

it.each([
  ["users", "--help"],
  ["users", "grant", "--help"],
  ["users", "grant", "ada", "-h"],
  ["sessions", "--help"],
  ["begin-epoch", "--help"],
  ["keys", "--help"],
])("%s %s … asks for help and gets it, with nothing configured", async (...words) => {
  const ended = await curfew(words);
  expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
  expect(ended.stdout).toContain(`curfew ${words.slice(0, 1).join()} `);
});

describe("a Redis that can't be used", () => {
  const list = (more: NodeJS.ProcessEnv) => curfew(["users", "list"], more);

  it.each([
    ["isn't there", "redis://127.0.0.1:1", /ECONNREFUSED[^]*REDIS_URL/],
    ["takes no such password", "wrong", /WRONGPASS/],
  ])("because it %s: exit 3", async (_title, url, said) => {
    const REDIS_URL = url === "wrong" ? redis.url.replace(/:[^:@]+@/, ":wrong@") : url;
    expect(await list({ REDIS_URL })).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(said) as string,
    });
  });

  it.each([
    [{ REDIS_URL: "nonsense" }, /REDIS_URL: /],
    [{ REDIS_URL: "memory://" }, /memory:\/\/ ends with its process/],
    [{ NODE_ENV: "production" }, /REDIS_URL: it is not set/],
  ])("because of %j: exit 78", async (wrong, said) => {
    expect(await list(wrong)).toMatchObject({ exitCode: 78, stderr: expect.stringMatching(said) as string });
  });
});
