import {
  call,
  eventually,
  expectRefusal,
  logout,
  PASSWORD,
  settled,
  type Answer,
  type Tokens,
} from "../helpers/client";
import { answersIn, openConnection } from "../helpers/connection";
import { startHost, useProject, type Host } from "../helpers/packed";
import { startRedis, useRedis } from "../helpers/redis";
import { SECRET } from "../helpers/service";
import { use } from "../helpers/use";

const keys = { secret: SECRET };

const redis = useRedis();

describe.each(["express", "express4"] as const)("mounted in %s", (express) => {
  const project = useProject(express);

  const start = (settings: object = {}) =>
    startHost(project, "host.mjs", { redis: redis.url, options: { keys }, ...settings });

  async function signUp({ url }: Host, base = "/api/auth", name = "someone"): Promise<Tokens> {
    const email = `${name}-${String(process.hrtime.bigint())}@example.com`;
    const answer = await call(url, "POST", `${base}/register`, { body: { email, password: PASSWORD } });
    expect(answer.status).toBe(201);
    return answer.body as Tokens;
  }

  const any = ({ url }: Host, token: string) => call(url, "GET", "/any", { token });

  describe.each([{ parses: true }, { parses: false }])("where the app's parser: %o", (settings) => {
    const host = use(() => start(settings));

    it("logs in, guards, and logs out: the token is refused from then on", async () => {
      const { access_token: token, user } = await signUp(host);
      const answer = await any(host, token);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ auth: { kind: "own", subject: user.id, sub: user.id, roles: [] } });
      // What is the app's is the app's: no header of ours stands on its own answers.
      expect(answer.headers.get("x-request-id")).toBeNull();
      const out = await logout(host.url, token);
      expect(out.body).toEqual({ success: true, message: "Logged out successfully" });
      expect(out.headers.get("cache-control")).toBe("no-store");
      expect(out.headers.get("x-request-id")).toBeTruthy();
      const refused = await any(host, token);
      expectRefusal(refused, 401, "token_revoked");
      expect(refused.body).toMatchObject({ reason: "logout", revoked_at: expect.any(String) as string });
      expectRefusal(await call(host.url, "GET", "/any"), 401, "token_missing");
      expectRefusal(await any(host, "x.y.z"), 401, "token_invalid");
    });

    it("mounts no metrics: whether there are any is for the app to say", async () => {
      for (const path of ["/metrics", "/api/auth/metrics"])
        expect(await call(host.url, "GET", path)).toMatchObject({ status: 404, body: { from: "the app" } });
    });

    it("lists and ends sessions, refreshes, changes the password, tells a gateway", async () => {
      const { access_token: token, refresh_token } = await signUp(host);
      const ask = (method: string, path: string, body?: unknown) =>
        call(host.url, method, `/api/auth${path}`, { token, ...(body !== undefined && { body }) });
      expect((await ask("GET", "/sessions")).body).toMatchObject({ sessions: [{ current: true }] });
      expect((await ask("GET", "/verify/some/path")).status).toBe(204);
      expect((await ask("POST", "/refresh", { refresh_token })).status).toBe(200);
      expect((await ask("DELETE", "/sessions")).status).toBe(204);
      const change = { current_password: PASSWORD, new_password: `${PASSWORD}, another` };
      expect((await ask("POST", "/password", change)).status).toBe(200);
      expectRefusal(await any(host, token), 401, "token_revoked");
    });

    it("refuses what a form can send, what is too large, and what isn't known", async () => {
      const login = (type: string, body: string) =>
        fetch(`${host.url}/api/auth/login`, { method: "POST", headers: { "Content-Type": type }, body });
      const form = await login("application/x-www-form-urlencoded", "email=a&password=b");
      expect(form.status).toBe(415);
      expect(await form.json()).toMatchObject({ code: "unsupported_media_type" });
      const logout = await fetch(`${host.url}/api/auth/logout`, {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body: "all_devices=true",
      });
      expect(logout.status).toBe(415);
      const large = await login("application/json", JSON.stringify({ email: "x".repeat(20_000) }));
      expect(large.status).toBe(413);
      const typo = await call(host.url, "POST", "/api/auth/logout", { body: { all_device: true } });
      expect(typo.body).toMatchObject({ code: "invalid_request", details: [{ path: "all_device" }] });
    });
  });

  it("ends every session of a user whom the app revokes, and nobody else's", async () => {
    const host = await start();
    const [one, other] = [await signUp(host), await signUp(host)];
    const body = { email: one.user.email, password: PASSWORD };
    const login = () => call(host.url, "POST", "/api/auth/login", { body });
    const another = (await login()).body as Tokens;
    const revoke = await call(host.url, "POST", `/control/revoke-user/${one.user.id}`);
    expect(revoke.status).toBe(204);
    for (const { access_token, refresh_token } of [one, another]) {
      expectRefusal(await any(host, access_token), 401, "token_revoked");
      const refused = await call(host.url, "POST", "/api/auth/refresh", { body: { refresh_token } });
      expectRefusal(refused, 401, "refresh_token_invalid");
    }
    expect((await any(host, other.access_token)).status).toBe(200);
    expect((await any(host, ((await login()).body as Tokens).access_token)).status).toBe(200);
    await host.stop();
  });

  it("finishes what the guard let through before a logout, and nothing that comes after it", async () => {
    const host = await start();
    const { access_token: token } = await signUp(host);
    const slow = call(host.url, "GET", "/slow", { token });
    await eventually(async () => (await call(host.url, "GET", "/control/has-begun")).status === 204);
    expect((await logout(host.url, token)).status).toBe(200);
    expect((await call(host.url, "POST", "/control/release")).status).toBe(204);
    expect((await slow).status).toBe(200);
    expectRefusal(await call(host.url, "GET", "/slow", { token }), 401, "token_revoked");
    await host.stop();
  });

  it("tells a client nothing of the app's accounts when they break, and still lets everybody leave", async () => {
    const host = await start({ hasOwnAccounts: true });
    const { access_token: token, refresh_token, user } = await signUp(host);
    expect((await call(host.url, "POST", "/control/break-accounts")).status).toBe(204);
    const credentials = { email: user.email, password: PASSWORD };
    for (const [path, body] of [
      ["register", { ...credentials, email: "new@example.com" }],
      ["login", credentials],
      ["refresh", { refresh_token }],
      ["password", { current_password: PASSWORD, new_password: `${PASSWORD}, another` }],
    ] as const) {
      const answer = await call(host.url, "POST", `/api/auth/${path}`, { token, body });
      expectRefusal(answer, 500, "internal");
      expect(Object.keys(answer.body as object).sort()).toEqual(["code", "error", "message"]);
      expect(JSON.stringify(answer.body)).not.toMatch(/hunter2|10\.0|host\.mjs/);
      // The app finds it in its own log.
      const id = answer.headers.get("x-request-id") ?? "";
      await eventually(() => Promise.resolve(host.errors.some((line) => line.includes(id))));
    }
    expect((await any(host, token)).status).toBe(200);
    expect((await logout(host.url, token)).status).toBe(200);
    expectRefusal(await any(host, token), 401, "token_revoked");
    await host.stop();
  });

  it("refuses a body that is announced too large, or becomes it, at once, and closes the connection", async () => {
    const host = await start({ parses: false });
    const head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    const chunks = `4000\r\n${"x".repeat(0x4000)}\r\n1\r\nx\r\n`;
    for (const rest of [
      "Content-Length: 1000000000\r\n\r\n",
      `Transfer-Encoding: chunked\r\n\r\n${chunks}`,
    ]) {
      const connection = await openConnection(host.url);
      const startedAt = performance.now();
      connection.write(head, rest);
      expect(answersIn(await connection.untilEnd())).toEqual([{ status: 413, closes: true }]);
      expect(performance.now() - startedAt).toBeLessThan(3000);
    }
    await host.stop();
  });

  describe("beside the app's own", () => {
    const host = use(() =>
      start({
        mountAt: "/auth",
        hasOwnAccounts: true,
        options: { keys, cookies: { secure: false } },
      }),
    );

    it("leaves to the app what is the app's: its errors, its paths, also those under ours", async () => {
      expect(await statusAndBody(call(host.url, "GET", "/breaks"))).toEqual([
        500,
        { from: "the app", message: "the app's own" },
      ]);
      for (const path of ["/nothing", "/auth/nothing"]) {
        expect(await statusAndBody(call(host.url, "GET", path))).toEqual([404, { from: "the app" }]);
      }
      const answer = await call(host.url, "PUT", "/auth/login");
      expect(answer.headers.get("allow")).toBe("POST");
      expectRefusal(answer, 405, "method_not_allowed");
    });

    it("uses the app's own accounts, and their roles", async () => {
      const nobody = await signUp(host, "/auth");
      const analyst = await signUp(host, "/auth", "analyst");
      expect(analyst.user.id).toMatch(/^own-/);
      const reports = (token: string) => call(host.url, "GET", "/reports", { token });
      expect((await reports(analyst.access_token)).status).toBe(200);
      expectRefusal(await reports(nobody.access_token), 403, "insufficient_role");
      const again = { email: analyst.user.email, password: PASSWORD };
      expectRefusal(await call(host.url, "POST", "/auth/register", { body: again }), 409, "email_taken");
      expect((await call(host.url, "POST", "/auth/login", { body: again })).status).toBe(200);
      const wrong = { ...again, password: "not that one, sorry" };
      expectRefusal(await call(host.url, "POST", "/auth/login", { body: wrong }), 401, "invalid_credentials");
      expect(await redis.admin.keys(`curfew:user:${analyst.user.id}`)).toEqual([]);
    });

    it("keeps the refresh cookie where it is mounted", async () => {
      const { user } = await signUp(host, "/auth");
      const body = { email: user.email, password: PASSWORD, transport: "cookie" };
      const login = await call(host.url, "POST", "/auth/login", { body });
      const cookies = login.headers.getSetCookie();
      expect(cookies.map((each) => /Path=([^;]*)/.exec(each)?.[1])).toEqual(["/", "/auth"]);
      const Cookie = cookies.map((each) => each.replace(/;.*/, "")).join("; ");
      const byCookie = (method: string, path: string, headers = {}) =>
        call(host.url, method, path, { headers: { Cookie, ...headers } });
      expect((await byCookie("POST", "/any")).status).toBe(200);
      const elsewhere = { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };
      expectRefusal(await byCookie("POST", "/any", elsewhere), 403, "cross_site_request");
      expect((await byCookie("POST", "/auth/refresh")).status).toBe(200);
      const out = await byCookie("POST", "/auth/logout");
      expect(out.status).toBe(200);
      expect(out.headers.getSetCookie().join()).toMatch(/curfew_refresh=;.*Path=\/auth;/);
      expectRefusal(await byCookie("GET", "/any"), 401, "token_revoked");
    });

    it("clears a refresh cookie that lies where it lay before", async () => {
      const { refresh_token } = await signUp(host, "/auth");
      const ask = (path: string, Cookie: string) =>
        call(host.url, "POST", `/auth/${path}`, { headers: { Cookie } });
      const pathsOf = ({ headers }: Answer, value: RegExp) =>
        headers.getSetCookie().flatMap((each) => {
          const [, text = "", path = ""] = /^curfew_refresh=([^;]*);.*Path=([^;]*)/.exec(each) ?? [];
          return path !== "" && value.test(text) ? path : [];
        });
      const moved = await ask("refresh", `curfew_refresh=${refresh_token}`);
      expect([pathsOf(moved, /./), pathsOf(moved, /^$/)]).toEqual([["/auth"], ["/"]]);
      const twice = await ask("refresh", `curfew_refresh=${refresh_token}; curfew_refresh=other`);
      expect(twice).toMatchObject({ status: 400, body: { details: [{ path: "curfew_refresh" }] } });
      expect(pathsOf(twice, /^$/)).toEqual(["/"]);
      const out = await ask("logout", `curfew_refresh=${refresh_token}`);
      expect(out.status).toBe(200);
      expect(pathsOf(out, /^$/)).toEqual(["/auth", "/", "/api"]);
    });

    it("never lets a request through where the call was forgotten", async () => {
      const { access_token: token } = await signUp(host, "/auth");
      for (const path of ["/never/guard", "/never/routes"]) {
        for (const options of [{}, { token }]) {
          const answer = await call(host.url, "GET", path, options);
          expect(answer.status).toBe(500);
          expect(answer.body).toMatchObject({
            message: expect.stringMatching(/^Write curfew\.\w+\(/) as string,
          });
        }
      }
      const { body } = await call(host.url, "GET", "/passed");
      expect((body as string[]).filter((path) => path.startsWith("/never"))).toEqual([]);
    });
  });

  it("guards as well twice, and in an app within the app; and routes that are mounted twice act once", async () => {
    const host = await start();
    const { access_token: token } = await signUp(host);
    for (const path of ["/twice", "/sub", "/sub/any/path"]) {
      expectRefusal(await call(host.url, "GET", path), 401, "token_missing");
      expect((await call(host.url, "GET", path, { token })).status).toBe(200);
    }
    expect((await call(host.url, "GET", "/api/auth/sessions", { token })).body).toMatchObject({
      sessions: [{ current: true }],
    });
    expect((await logout(host.url, token)).status).toBe(200);
    for (const path of ["/twice", "/sub"]) {
      expectRefusal(await call(host.url, "GET", path, { token }), 401, "token_revoked");
    }
    await host.stop();
  });

  it("answers 503 while Redis is away, and recovers", async () => {
    const own = await startRedis();
    const host = await startHost(project, "host.mjs", {
      redis: own.url,
      options: { keys },
      hasOwnAccounts: true,
    });
    const { access_token: token, user } = await signUp(host);
    await own.kill();
    expectRefusal(await any(host, token), 503, "denylist_unavailable");
    expectRefusal(await logout(host.url, token), 503, "denylist_unavailable");
    const body = { email: user.email, password: PASSWORD };
    expectRefusal(await call(host.url, "POST", "/api/auth/login", { body }), 503, "denylist_unavailable");
    await own.start();
    const answer = await settled(() => call(host.url, "POST", "/api/auth/login", { body }));
    expect(answer.status).toBe(200);
    // It came back empty, so that nothing from before counts.
    expectRefusal(await any(host, token), 401, "token_revoked");
    await host.stop();
    await own.stop();
  });

  it("tells every instance of a revocation, once, and the process ends after close()", async () => {
    const hosts = [await start(), await start()];
    const [first] = hosts as [Host];
    const { access_token: token, user } = await signUp(first);
    await logout(first.url, token);
    const later = await signUp(first);
    await logout(first.url, later.access_token);
    for (const host of hosts) {
      const toldOf = async ({ id }: Tokens["user"]) => {
        const { body } = await call(host.url, "GET", "/revoked");
        return (body as { sub: string }[]).filter(({ sub }) => sub === id);
      };
      // Revocations are told in order: with a later one, all that came before has come.
      await eventually(async () => (await toldOf(later.user)).length > 0);
      expect(await toldOf(user)).toEqual([
        {
          ...{ kind: "session", sub: user.id, reason: "logout" },
          ...{ sid: expect.any(String) as string, jti: expect.any(String) as string },
          at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        },
      ]);
      await call(host.url, "GET", "/control/close");
      expect(await host.exited).toEqual([0, null]);
      expect(host.errors.join("\n")).toContain("a listener that breaks");
    }
  });
});

const statusAndBody = async (answer: Promise<Answer>) => {
  const { status, body } = await answer;
  return [status, body];
};
