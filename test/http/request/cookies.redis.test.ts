import { randomUUID } from "node:crypto";
import {
  call,
  expectRefusal,
  login,
  me,
  PASSWORD,
  register,
  untilReady,
  type Answer,
} from "../../helpers/client";
import { decodePart, vary } from "../../helpers/jws";
import { startProxy } from "../../helpers/proxy";
import { useRedis } from "../../helpers/redis";
import { SECRET, startService, useService } from "../../helpers/service";
import { use } from "../../helpers/use";

const redis = useRedis();
const wire = use(() => startProxy(redis.port));
const wiredUrl = () => redis.url.replace(String(redis.port), String(wire.port));
const service = useService(() => ({ REDIS_URL: wiredUrl() }));
const production = useService(() => ({
  REDIS_URL: wiredUrl(),
  NODE_ENV: "production",
  HOST: "127.0.0.1",
}));

type Jar = Record<string, string>;

const setCookies = (answer: Answer) => answer.headers.getSetCookie();

/** What a browser would keep of an answer's cookies. */
function keep(jar: Jar, answer: Answer): Jar {
  const next = { ...jar };
  for (const line of setCookies(answer)) {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (line.includes("Max-Age=0")) Reflect.deleteProperty(next, name);
    else next[name] = value;
  }
  return next;
}

const cookieHeader = (jar: Jar) =>
  Object.entries(jar)
    .map(([name, value]) => `${name}=${value}`)
    .join("; ");

const send = (
  method: string,
  path: string,
  jar: Jar | string,
  options: { body?: unknown; headers?: Jar } = {},
) =>
  call(service.url, method, path, {
    ...options,
    headers: { Cookie: typeof jar === "string" ? jar : cookieHeader(jar), ...options.headers },
  });

async function cookieLogin(url = service.url): Promise<{ answer: Answer; jar: Jar; email: string }> {
  const email = `${randomUUID()}@example.com`;
  const body = { email, password: PASSWORD, transport: "cookie" };
  const answer = await call(url, "POST", "/api/auth/register", { body });
  expect(answer.status).toBe(201);
  return { answer, jar: keep({}, answer), email };
}

const isIn = async (jar: Jar) => (await send("GET", "/api/users/me", jar)).status === 200;

describe("an app that keeps its tokens in cookies", () => {
  it("logs in, sees itself, logs out, has no cookies, is refused, logs in again; another device stayed in", async () => {
    const { jar, email } = await cookieLogin();
    const phone = await login(service.url, email);
    expect((await send("GET", "/api/users/me", jar)).body).toMatchObject({ email });

    const answer = await send("POST", "/api/auth/logout", jar);
    expect(answer).toMatchObject({
      status: 200,
      body: { success: true, message: "Logged out successfully" },
    });
    expect(keep(jar, answer)).toEqual({});
    const refused = await send("GET", "/api/users/me", jar);
    expectRefusal(refused, 401, "token_revoked");
    expect(refused.body).toMatchObject({ error: "Unauthorized" });
    expectRefusal(await send("GET", "/api/users/me", {}), 401, "token_missing");

    const again = await call(service.url, "POST", "/api/auth/login", {
      body: { email, password: PASSWORD, transport: "cookie" },
    });
    expect(await isIn(keep({}, again))).toBe(true);
    expect((await me(service.url, phone.access_token)).status).toBe(200);
  });
});

describe("the cookies", () => {
  it("are HttpOnly and Lax, and carry the tokens that the body doesn't", async () => {
    const { answer } = await cookieLogin();
    const jwt = "[\\w-]+\\.[\\w-]+\\.[\\w-]+";
    expect(setCookies(answer)).toEqual([
      expect.stringMatching(
        new RegExp(`^curfew_access=${jwt}; Max-Age=2592000; Path=/; Expires=[^;]+; HttpOnly; SameSite=Lax$`),
      ),
      expect.stringMatching(
        /^curfew_refresh=[\w-]+\.[\w-]+; Max-Age=2592000; Path=\/api; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
      ),
    ]);
    expect(Object.keys(answer.body as object).sort()).toEqual([
      "expires_in",
      "refresh_expires_in",
      "token_type",
      "user",
    ]);
    for (const line of setCookies(answer)) expect(line.length).toBeLessThan(4096);
  });

  it("are Secure and have their prefixes in production, and only those names are read there", async () => {
    const { answer } = await cookieLogin(production.url);
    const [access = "", refresh = ""] = setCookies(answer);
    expect(access).toMatch(/^__Host-curfew_access=.*; Path=\/; .*HttpOnly; Secure; SameSite=Lax$/);
    expect(refresh).toMatch(/^__Secure-curfew_refresh=.*; Path=\/api; .*HttpOnly; Secure; SameSite=Lax$/);
    expect(access + refresh).not.toMatch(/Domain/);
    const value = /=([^;]+)/.exec(access)?.[1] ?? "";
    const ask = (name: string) =>
      call(production.url, "GET", "/api/users/me", { headers: { Cookie: `${name}=${value}` } });
    expect((await ask("__Host-curfew_access")).status).toBe(200);
    for (const name of [
      "curfew_access",
      "__HOST-curfew_access",
      "\u00a0__Host-curfew_access",
      "x__Host-curfew_access",
    ]) {
      const cookie = Buffer.from(`${name}=${value}`).toString("latin1");
      const answer = await call(production.url, "GET", "/api/users/me", { headers: { Cookie: cookie } });
      expectRefusal(answer, 401, "token_missing");
    }
    const cleared = await call(production.url, "POST", "/api/auth/logout", {
      headers: { Cookie: `__Host-curfew_access=${value}` },
    });
    expect(setCookies(cleared)).toEqual([
      expect.stringMatching(
        /^__Host-curfew_access=; Max-Age=0; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
      ),
      expect.stringMatching(
        /^__Secure-curfew_refresh=; Max-Age=0; Path=\/api; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
      ),
    ]);
  });

  it.each(["on", "off"])("COOKIE_SECURE=%s decides by itself", async (setting) => {
    const other = await startService({ REDIS_URL: redis.url, COOKIE_SECURE: setting });
    const { answer } = await cookieLogin(other.url);
    for (const line of setCookies(answer)) expect(/^__.*; Secure;/.test(line)).toBe(setting === "on");
    await other.stop();
  });

  it("give way to an Authorization header, whatever it holds", async () => {
    const { jar } = await cookieLogin();
    const tokens = await register(service.url);
    const withHeader = (value: string) =>
      send("GET", "/api/users/me", jar, { headers: { Authorization: value } });
    expectRefusal(await withHeader("Bearer a.b.c"), 401, "token_invalid");
    expectRefusal(await withHeader("Bearer"), 401, "token_missing");
    expectRefusal(await withHeader("Basic YTpi"), 401, "token_missing");
    expect((await withHeader(`Bearer ${tokens.access_token}`)).body).toMatchObject({ id: tokens.user.id });
    const bad = await send("GET", "/api/users/me", "curfew_access=garbage", {
      headers: { Authorization: `Bearer ${tokens.access_token}` },
    });
    expect(bad.status).toBe(200);
  });

  it("are refused when one is sent twice", async () => {
    const { jar } = await cookieLogin();
    for (const cookie of [
      `curfew_access=evil; ${cookieHeader(jar)}`,
      `${cookieHeader(jar)}; curfew_access=evil`,
      `${cookieHeader(jar)};curfew_access=`,
    ]) {
      expectRefusal(await send("GET", "/api/users/me", cookie), 400, "invalid_request");
      expectRefusal(await send("POST", "/api/auth/logout", cookie), 400, "invalid_request");
    }
    expect(await isIn(jar)).toBe(true);
  });

  it("keep working when somebody planted a refresh cookie beside ours, and logging out does too", async () => {
    const { jar } = await cookieLogin();
    const planted = `${cookieHeader(jar)}; curfew_refresh=evil`;
    expect((await send("GET", "/api/users/me", planted)).status).toBe(200);
    expectRefusal(await send("POST", "/api/auth/refresh", planted), 400, "invalid_request");
    expectRefusal(
      await send("POST", "/api/auth/logout", planted.replace(/curfew_access=[^;]+/, "")),
      400,
      "invalid_request",
    );
    expect((await send("POST", "/api/auth/logout", planted)).status).toBe(200);
    expect(await isIn(jar)).toBe(false);
  });

  it("are strings and nothing else", async () => {
    for (const value of [
      'j:{"a":1}',
      "s:abc.def",
      "%ZZ",
      '"quoted"',
      "a b",
      "[object Object]",
      "__proto__",
    ]) {
      const answer = await send("GET", "/api/users/me", `curfew_access=${value}`);
      expectRefusal(answer, 401, "token_invalid");
    }
    expectRefusal(await send("GET", "/api/users/me", "curfew_access="), 401, "token_missing");
    expectRefusal(await send("GET", "/api/users/me", "curfew_access; =; ;;"), 401, "token_missing");
    expectRefusal(await send("GET", "/api/users/me", "$Version=1; $curfew_access=x"), 401, "token_missing");
  });

  it("are new at each login, and the session of the old ones is not taken over", async () => {
    const { jar, email } = await cookieLogin();
    const answer = await send("POST", "/api/auth/login", jar, {
      body: { email, password: PASSWORD, transport: "cookie" },
    });
    const next = keep(jar, answer);
    const sid = (jar: Jar) => decodePart(jar["curfew_access"] ?? "", 1)["sid"];
    expect(sid(next)).not.toBe(sid(jar));
    expect(await isIn(next)).toBe(true);
  });
});

describe("refresh by cookie", () => {
  it("answers in cookies, and doesn't exchange a young generation", async () => {
    const { jar } = await cookieLogin();
    const answer = await send("POST", "/api/auth/refresh", jar);
    expect(answer.status).toBe(200);
    expect(answer.body).not.toHaveProperty("access_token");
    const next = keep(jar, answer);
    expect(next["curfew_access"]).not.toBe(jar["curfew_access"]);
    const generation = (jar: Jar) => decodePart(`.${jar["curfew_refresh"] ?? ""}`, 1)["generation"];
    expect(generation(next)).toBe(0);

    const sid = String(decodePart(next["curfew_access"] ?? "", 1)["sid"]);
    await redis.admin.hincrby(`curfew:session:${sid}`, "generation_since_ms", -10_000);
    expect(generation(keep(next, await send("POST", "/api/auth/refresh", next)))).toBe(1);
  });

  it("answers in the body when the body brings the token", async () => {
    const { jar } = await cookieLogin();
    const answer = await send(
      "POST",
      "/api/auth/refresh",
      {},
      { body: { refresh_token: jar["curfew_refresh"] } },
    );
    expect(answer.body).toHaveProperty("refresh_token");
    expect(setCookies(answer)).toEqual([]);
  });

  it("is refused with the cookie of another session beside the access cookie: nobody is moved to another account", async () => {
    const [mine, theirs] = [await cookieLogin(), await cookieLogin()];
    const mixed = { ...mine.jar, curfew_refresh: theirs.jar["curfew_refresh"] ?? "" };
    const answer = await send("POST", "/api/auth/refresh", mixed);
    expectRefusal(answer, 401, "refresh_token_invalid");
    expect(setCookies(answer)).toEqual([]);
  });

  it("doesn't look at the cookie beside an Authorization header", async () => {
    const { jar } = await cookieLogin();
    const answer = await send("POST", "/api/auth/refresh", jar, {
      headers: { Authorization: "Bearer x.y.z" },
    });
    expectRefusal(answer, 401, "token_missing");
  });

  it("says that the token is missing when there is neither", async () => {
    for (const body of [undefined, {}, { refresh_token: null }, null])
      expectRefusal(await send("POST", "/api/auth/refresh", {}, { body }), 401, "token_missing");
  });

  it("never logs a tab out, though twelve share one jar and refresh at once, two hundred times", async () => {
    let { jar } = await cookieLogin();
    const sid = String(decodePart(jar["curfew_access"] ?? "", 1)["sid"]);
    /** A tab sends what the jar holds just then; the answers come back in any order. */
    async function refreshInTab(): Promise<void> {
      const answer = await send("POST", "/api/auth/refresh", jar);
      expect(answer.status).toBe(200);
      jar = keep(jar, answer);
    }
    for (let round = 0; round < 100; round += 1) {
      await Promise.all(Array.from({ length: 12 }, () => refreshInTab().then(refreshInTab)));
      // Ten seconds later, as far as this session knows.
      await redis.admin.hincrby(`curfew:session:${sid}`, "generation_since_ms", -10_000);
    }
    expect(await isIn(jar)).toBe(true);
    expect(await redis.admin.hget(`curfew:session:${sid}`, "generation")).toBe("99");
  }, 60_000);
});

describe("logout by cookie", () => {
  it("takes the refresh cookie alone, and clears both", async () => {
    const { jar } = await cookieLogin();
    const answer = await send("POST", "/api/auth/logout", `curfew_refresh=${jar["curfew_refresh"] ?? ""}`);
    expect(answer.status).toBe(200);
    expect(setCookies(answer)).toHaveLength(2);
    expect(await isIn(jar)).toBe(false);
  });

  it("ignores the refresh cookie beside an Authorization header, and leaves the cookies alone", async () => {
    const { jar } = await cookieLogin();
    const tokens = await register(service.url);
    const headers = { Authorization: `Bearer ${tokens.access_token}` };
    const answer = await send("POST", "/api/auth/logout", jar, { headers });
    expect(answer.status).toBe(200);
    expect(setCookies(answer)).toEqual([]);
    expect(await isIn(jar)).toBe(true);
  });

  it("answers 204 and clears the cookies under /api/v1/auth too", async () => {
    const { jar } = await cookieLogin();
    const answer = await send("POST", "/api/v1/auth/logout", jar, { body: { all_devices: true } });
    expect(answer.status).toBe(204);
    expect(keep(jar, answer)).toEqual({});
  });

  it("clears the cookie that can't be verified, and only that, so that the next try succeeds", async () => {
    const { jar } = await cookieLogin();
    for (const forged of ["a.b.c", 'j:{"a":1}', `${jar["curfew_access"] ?? ""}x`]) {
      const answer = await send("POST", "/api/auth/logout", { ...jar, curfew_access: forged });
      expectRefusal(answer, 401, "token_invalid");
      expect(Object.keys(keep({ ...jar }, answer))).toEqual(["curfew_refresh"]);
    }
    const alone = await send("POST", "/api/auth/logout", { curfew_refresh: "x.y" });
    expectRefusal(alone, 401, "refresh_token_invalid");
    expect(keep({ curfew_refresh: "x.y" }, alone)).toEqual({});
    expect(await isIn(jar)).toBe(true);
    expect(
      (await send("POST", "/api/auth/logout", { curfew_refresh: jar["curfew_refresh"] ?? "" })).status,
    ).toBe(200);
    expect(await isIn(jar)).toBe(false);
  });

  it("can't be kept from it by whoever plants a refresh cookie, forged or of a session of theirs", async () => {
    const attacker = await register(service.url);
    for (const planted of ["x.y", attacker.refresh_token]) {
      const { jar } = await cookieLogin();
      const answer = await send("POST", "/api/auth/logout", { ...jar, curfew_refresh: planted });
      expect(answer.status).toBe(200);
      expect(keep(jar, answer)).toEqual({});
      expect(await isIn(jar)).toBe(false);
    }
    expect((await me(service.url, attacker.access_token)).status).toBe(200);
  });

  it("leaves the cookies alone when what can't be verified came in the body", async () => {
    const { jar } = await cookieLogin();
    for (const cookies of [jar, {}]) {
      const answer = await send("POST", "/api/auth/logout", cookies, { body: { refresh_token: "x.y" } });
      expectRefusal(answer, 401, "refresh_token_invalid");
      expect(setCookies(answer)).toEqual([]);
    }
    expect(await isIn(jar)).toBe(true);
  });

  it("clears the cookie that asked for all devices though it was dead", async () => {
    const { jar } = await cookieLogin();
    await send("POST", "/api/auth/logout", jar);
    const answer = await send("POST", "/api/auth/logout", jar, { body: { all_devices: true } });
    expectRefusal(answer, 401, "token_revoked");
    expect(Object.keys(keep({ ...jar }, answer))).toEqual(["curfew_refresh"]);
  });

  it("clears the access cookie that asked for all devices though it had expired", async () => {
    const { jar } = await cookieLogin();
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now - 600, exp: now - 60 };
    const expired = vary(jar["curfew_access"] ?? "", SECRET, { claims: times });
    const answer = await send(
      "POST",
      "/api/auth/logout",
      { curfew_access: expired },
      { body: { all_devices: true } },
    );
    expectRefusal(answer, 401, "token_expired");
    expect(keep({ curfew_access: expired }, answer)).toEqual({});
    expect(await isIn(jar)).toBe(false);
  });

  it("leaves the cookies where they are when Redis can't tell", async () => {
    const { jar } = await cookieLogin();
    wire.breakAfter("request", 0, "reset");
    const answer = await send("POST", "/api/auth/logout", jar);
    wire.heal();
    expectRefusal(answer, 503, "denylist_unavailable");
    expect(setCookies(answer)).toEqual([]);
    await untilReady(service.url);
    expect((await send("POST", "/api/auth/logout", jar)).status).toBe(200);
  });
});

describe("a change of password by cookie", () => {
  it("answers in cookies", async () => {
    const { jar } = await cookieLogin();
    const body = { current_password: PASSWORD, new_password: "another unlikely passphrase" };
    const answer = await send("POST", "/api/auth/password", jar, { body });
    expect(answer.status).toBe(200);
    expect(answer.body).not.toHaveProperty("access_token");
    expect(await isIn(jar)).toBe(false);
    expect(await isIn(keep(jar, answer))).toBe(true);
  });
});
