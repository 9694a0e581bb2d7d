import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  call,
  eventually,
  expectRefusal,
  login,
  me,
  PASSWORD,
  refresh,
  register,
  type Tokens,
} from "../../helpers/client";
import { startProvider, writeIssuers } from "../../helpers/provider";
import { startService, useService } from "../../helpers/service";
import { use } from "../../helpers/use";

/** memory:// runs the same scripts on ioredis-mock, whose Lua is another. What they promise must hold there too. */
const clerk = use(() =>
  startProvider("clerk", { clock_lead: "1s", max_lifetime: "90d", since_epoch: false }),
);
const service = useService(() => ({
  REDIS_URL: "memory://",
  TRUSTED_ISSUERS_FILE: writeIssuers(clerk),
  REFRESH_GRACE_SECONDS: "0",
  RATE_LIMIT: "on",
  RATE_LIMIT_LOGIN: "20/m",
  RATE_LIMIT_ACCOUNT: "20/m",
}));

const post = (path: string, token: string | undefined, body: unknown = {}) =>
  call(service.url, "POST", `/api/auth/${path}`, { body, ...(token && { token }) });

async function expectDead({ access_token, refresh_token }: Tokens): Promise<void> {
  expectRefusal(await me(service.url, access_token), 401, "token_revoked");
  expectRefusal(await refresh(service.url, refresh_token), 401, "refresh_token_invalid");
}

describe("with memory://", () => {
  it("a logout ends the session's other access tokens too", async () => {
    const first = await register(service.url);
    const second = (await refresh(service.url, first.refresh_token)).body as Tokens;
    expect((await post("logout", second.access_token)).status).toBe(200);
    await expectDead(second);
    expectRefusal(await me(service.url, first.access_token), 401, "token_revoked");
    expect((await post("logout", second.access_token)).status).toBe(200);
  });

  it("logging out all devices, and a change of password, end the other devices", async () => {
    const [phone, laptop] = [await register(service.url), await register(service.url)];
    const tablet = await login(service.url, phone.user.email);
    expect((await post("logout", phone.access_token, { all_devices: true })).status).toBe(200);
    await expectDead(tablet);
    const desktop = await login(service.url, laptop.user.email);
    const change = { current_password: PASSWORD, new_password: "another unlikely passphrase" };
    expect((await post("password", laptop.access_token, change)).status).toBe(200);
    await expectDead(desktop);
  });

  it("ending one session ends it", async () => {
    const phone = await register(service.url);
    const tablet = await login(service.url, phone.user.email);
    const path = "/api/auth/sessions";
    const list = (await call(service.url, "GET", path, { token: phone.access_token })).body as {
      sessions: { id: string; current: boolean }[];
    };
    expect(list.sessions).toHaveLength(2);
    const other = list.sessions.find(({ current }) => !current)?.id ?? "";
    expect(
      (await call(service.url, "DELETE", `${path}/${other}`, { token: phone.access_token })).status,
    ).toBe(204);
    await expectDead(tablet);
    expect((await me(service.url, phone.access_token)).status).toBe(200);
  });

  it("a refresh token that is used again ends its session", async () => {
    const first = await register(service.url);
    const second = (await refresh(service.url, first.refresh_token)).body as Tokens;
    let again = await refresh(service.url, first.refresh_token);
    // The seconds and the microseconds of ioredis-mock's TIME are two clocks: by it, the refresh may be a second to come.
    await eventually(async () => {
      if (again.status === 200) again = await refresh(service.url, first.refresh_token);
      return again.status !== 200;
    });
    expectRefusal(again, 401, "refresh_token_reused");
    await expectDead(second);
  });

  it("logging out an outside issuer's token ends its session or, if asked, all of its subject's", async () => {
    const verify = async (token: string) =>
      (await call(service.url, "GET", "/api/auth/verify", { token })).status;
    const [phone, laptop] = ["phone", "laptop"].map((sid) => clerk.mint({ sub: "ada", sid })) as [
      string,
      string,
    ];
    expect((await post("logout", phone)).status).toBe(200);
    expect([await verify(phone), await verify(laptop)]).toEqual([401, 204]);
    const tablet = clerk.mint({ sub: "ada", iat: Math.floor(Date.now() / 1000) - 60 });
    expect((await post("logout", laptop, { all_devices: true })).status).toBe(200);
    expect([await verify(laptop), await verify(tablet)]).toEqual([401, 401]);
    expect((await post("logout", tablet, { all_devices: true })).status).toBe(200);
    expect(await verify(clerk.mint({ sub: "ben" }))).toBe(204);
  });

  it("limits count", async () => {
    const attempts = await Promise.all(
      Array.from({ length: 30 }, () =>
        post("login", undefined, { email: "nobody@example.com", password: "x" }),
      ),
    );
    const statuses = attempts.map(({ status }) => status);
    expect(statuses).toContain(401);
    expect(statuses).toContain(429);
  });
});

describe("what memory:// is made of", () => {
  const IS_LOADED = `Object.keys(require.cache).some((file) => /node_modules.(ioredis-mock|fengari)/.test(file))`;

  async function loadsIt(env: NodeJS.ProcessEnv): Promise<boolean> {
    const preload = join(mkdtempSync(join(tmpdir(), "curfew-preload-")), "tell.js");
    const tell = `console.error("loaded: " + ${IS_LOADED})`;
    writeFileSync(preload, `process.on("exit", () => ${tell});`);
    const service = await startService({
      NODE_OPTIONS: `--require ${preload}`,
      SHUTDOWN_GRACE_MS: "0",
      ...env,
    });
    await service.stop();
    const told = () => service.log.find((line) => line.startsWith("loaded: "));
    await eventually(() => Promise.resolve(told() !== undefined));
    return told() === "loaded: true";
  }

  it("is loaded for it, and not in production", async () => {
    // Nobody need answer there.
    const production = { NODE_ENV: "production", HOST: "127.0.0.1", REDIS_URL: "redis://127.0.0.1:1" };
    expect(await Promise.all([{ REDIS_URL: "memory://" }, production].map(loadsIt))).toEqual([true, false]);
  });

  it("is not loaded by the library", () => {
    const script = `require("./dist"); console.log(${IS_LOADED})`;
    expect(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" })).toBe("false\n");
  });
});
