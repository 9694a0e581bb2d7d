import { call, login, PASSWORD, register } from "../helpers/client";
import { curfew } from "../helpers/command";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { curfewOnTerminal } from "../helpers/terminal";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));

const env = () => ({ REDIS_URL: redis.url });
const sessions = (...words: string[]) => curfew(["sessions", ...words], env());

/** What HTTP headers may hold, and more that Redis may. */
const HOSTILE = "Evil/1.0 \u001B]0;owned\u0007\u001B[2J\u009B31m\u202Egnp.exe\r\n{}";

async function loginWithHostileDevice() {
  const { user } = await register(service.url);
  const [sid = ""] = await redis.admin.zrange(`curfew:user-sessions:${user.id}`, 0, -1);
  await redis.admin.hset(`curfew:session:${sid}`, "user_agent", HOSTILE);
  return { user, sid };
}

/** Of what controls a terminal, and what may not be seen on it, nothing but the ends of lines. */
const expectHarmless = (text: string) => {
  expect(text.replaceAll(/\r?\n/g, "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
};

it("lists where a user is logged in, oldest first", async () => {
  const { user } = await register(service.url);
  await call(service.url, "POST", "/api/auth/login", {
    body: { email: user.email, password: PASSWORD },
    headers: { "User-Agent": "Pocket/1.0 (a phone)" },
  });
  const { stdout, exitCode } = await sessions(user.email);
  expect(exitCode).toBe(0);
  const [titles, first, second, ...rest] = stdout.split("\n");
  expect(titles).toMatch(/^ID +DEVICE +ADDRESS +CREATED +LAST USED$/);
  expect(first).toMatch(/^\S{36} +node +\S*127\.0\.0\.1 +\S+Z +\S+Z$/);
  expect(second).toMatch(/^\S{36} +Pocket\/1\.0 \(a phone\) +\S*127\.0\.0\.1 +\S+Z +\S+Z$/);
  expect(rest).toEqual([""]);
});

it("with --json is an array that says the same", async () => {
  const { user } = await register(service.url);
  const [session, ...rest] = JSON.parse((await sessions(user.id, "--json")).stdout) as unknown[];
  const time = expect.stringMatching(/Z$/) as string;
  expect(session).toEqual({
    ...{
      id: expect.stringMatching(/^\S{36}$/) as string,
      ip: expect.stringContaining("127.0.0.1") as string,
    },
    ...{ created_at: time, last_used_at: time, expires_at: time, user_agent: "node" },
  });
  expect(rest).toEqual([]);
});

it("shows of a hostile device no more than text", async () => {
  const { user, sid } = await loginWithHostileDevice();
  const { stdout } = await sessions(user.email);
  expectHarmless(stdout);
  expect(stdout).toContain("Evil/1.0 \uFFFD]0;owned\uFFFD\uFFFD[2J");
  expect(stdout.trim().split("\n")).toHaveLength(2);
  const json = (await sessions(user.email, "--json")).stdout;
  expectHarmless(json);
  expect(JSON.parse(json)).toMatchObject([{ id: sid, user_agent: HOSTILE }]);
});

it("fits a terminal: the device is cut, and times say how long ago", async () => {
  const { user, sid } = await loginWithHostileDevice();
  const { shown } = curfewOnTerminal(["sessions", user.email], { ...env(), NO_COLOR: "1" }, { columns: 80 });
  expectHarmless(shown);
  const [, row = ""] = shown.split("\r\n");
  expect(row).toMatch(new RegExp(`^${sid}  Evil.*… .* +now +now$`));
  expect(row.length).toBeLessThanOrEqual(80);
});

it("finds the sessions of a user in an app's own table by the id", async () => {
  const { user } = await register(service.url);
  await redis.admin.del(`curfew:user:${user.id}`);
  expect((await sessions(user.id)).stdout.trim().split("\n")).toHaveLength(2);
});

it("of somebody who is logged in nowhere is empty, and of nobody exits with 1", async () => {
  const { user } = await register(service.url);
  await login(service.url, user.email);
  await curfew(["users", "disable", user.id], env());
  expect(await sessions(user.id)).toMatchObject({ exitCode: 0, stdout: "" });
  expect((await sessions(user.id, "--json")).stdout).toBe("[]\n");
  expect(await sessions("nobody")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("There is no account nobody") as string,
  });
  expect((await sessions()).exitCode).toBe(2);
});
