import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startBrowser } from "../helpers/browser";
import { openTab, statusOf, type Tab, type Transport } from "../helpers/browser-client";
import { call, login, PASSWORD, register, untilReady } from "../helpers/client";
import { becomeOps } from "../helpers/ops-user";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

const redis = useRedis();
// A browser beside it takes so much of a small machine that Redis may seem slow.
const env = () => ({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: "1000" });
const service = useService(env);
const brief = useService(() => ({ ...env(), ACCESS_TTL: "2s" }));
const browser = use(() => startBrowser());

const ME = "/api/users/me";
const NEW_PASSWORD = "another unlikely passphrase";

const told = (tab: Tab) => tab.run<object[]>("told");
const untilTold = (tab: Tab) => tab.page.waitForFunction("told.length > 0");

describe.each<Transport>(["bearer", "cookie"])("by %s", (transport) => {
  const options = `{ transport: "${transport}", storage: localStorage }`;

  async function signIn(url: string): Promise<{ tab: Tab; email: string }> {
    const tab = await openTab(browser, url, options);
    const { user } = await register(url);
    await tab.run(`client.login("${user.email}", "${PASSWORD}")`);
    return { tab, email: user.email };
  }

  it("registers, is who it is, logs out in all tabs at once, and leaves nothing behind", async () => {
    const tab = await openTab(browser, service.url, options);
    await tab.run(`client.register("${transport}@example.com", "${PASSWORD}")`);
    const other = await tab.another();
    for (const each of [tab, other]) {
      expect(await each.run("client.user")).toMatchObject({ email: `${transport}@example.com`, roles: [] });
      expect(await statusOf(each, ME)).toBe(200);
    }

    await tab.run("client.logout()");
    await untilTold(other);

    expect(await told(tab)).toEqual([{ reason: "logout", here: true }]);
    expect(await told(other)).toEqual([{ reason: "logout", here: false }]);
    for (const each of [tab, other]) {
      expect(await each.run("client.user ?? null")).toBeNull();
      expect(await each.run("localStorage.length + sessionStorage.length")).toBe(0);
      expect(await statusOf(each, ME)).toBe(401);
    }
    expect(await tab.page.context().cookies()).toEqual([]);
  });

  it("goes on in a page that is loaded again, and in a tab that is opened later", async () => {
    const { tab, email } = await signIn(service.url);
    const later = await tab.another();
    expect(await later.run("client.user")).toMatchObject({ email });
    expect(await statusOf(later, ME)).toBe(200);
  });

  it("survives a storm: twelve tabs at work while tokens die, and nobody is logged out", async () => {
    const { tab } = await signIn(brief.url);
    const tabs = [tab];
    while (tabs.length < 12) tabs.push(await tab.another());
    let refreshes = 0;
    tab.page.context().on("request", (request) => {
      if (request.url().endsWith("/refresh")) refreshes += 1;
    });
    const work = `(async () => {
      const seen = {};
      const end = performance.now() + 9000;
      while (performance.now() < end) {
        const { status } = await client.fetch("${ME}");
        seen[status] = true;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return Object.keys(seen);
    })()`;
    const seen = await Promise.all(tabs.map((each) => each.run<string[]>(work)));
    expect(seen).toEqual(tabs.map(() => ["200"]));
    expect((await Promise.all(tabs.map(told))).flat()).toEqual([]);
    // The token dies four or five times.
    expect(refreshes).toBeGreaterThanOrEqual(3);
    expect(refreshes).toBeLessThan(12);
  }, 60_000);

  it.each([
    [
      "another device",
      "session_ended",
      async (email: string) => {
        const { access_token: token } = await login(service.url, email);
        return call(service.url, "DELETE", "/api/auth/sessions", { token });
      },
    ],
    [
      "a new password",
      "password_changed",
      async (email: string) => {
        const { access_token: token } = await login(service.url, email);
        const body = { current_password: PASSWORD, new_password: NEW_PASSWORD };
        return call(service.url, "POST", "/api/auth/password", { token, body });
      },
    ],
    [
      "ops",
      "revoked_by_ops",
      async (email: string) => {
        const { access_token: token } = await becomeOps(service.url, redis);
        const { access_token } = await login(service.url, email);
        const { id } = (await call(service.url, "GET", ME, { token: access_token })).body as { id: string };
        return call(service.url, "POST", "/api/ops/revocations", { token, body: { user: id, reason: "x" } });
      },
    ],
  ])("is told at the next request that %s ended it, in every tab", async (_title, reason, end) => {
    const { tab, email } = await signIn(service.url);
    const other = await tab.another();
    expect((await end(email)).status).toBeLessThan(300);
    expect(await told(tab)).toEqual([]);

    expect(await statusOf(tab, ME)).toBe(401);
    await untilTold(other);

    expect(await told(tab)).toEqual([{ reason, here: false }]);
    expect(await told(other)).toEqual([{ reason, here: false }]);
    expect(await tab.run("localStorage.length")).toBe(0);
  });

  it("logs out on all devices", async () => {
    const { tab, email } = await signIn(service.url);
    const { access_token } = await login(service.url, email);
    await tab.run("client.logout({ allDevices: true })");
    expect(await told(tab)).toEqual([{ reason: "logout_all_devices", here: true }]);
    expect((await call(service.url, "GET", ME, { token: access_token })).status).toBe(401);
  });

  it("stays signed in through a change of password of its own", async () => {
    const { tab } = await signIn(service.url);
    const other = await tab.another();
    const body = JSON.stringify({ current_password: PASSWORD, new_password: NEW_PASSWORD });
    const init = `{ method: "POST", headers: { "Content-Type": "application/json" }, body: '${body}' }`;
    expect(await statusOf(tab, "/api/auth/password", init)).toBe(200);
    expect(await statusOf(tab, ME)).toBe(200);
    expect(await statusOf(other, ME)).toBe(200);
    expect([...(await told(tab)), ...(await told(other))]).toEqual([]);
  });

  it("tells the truth of a logout while Redis hangs, and the next try succeeds", async () => {
    const { tab } = await signIn(service.url);
    const try_ = "client.logout().then(() => 'done', ({ code, retry }) => ({ code, retry }))";
    process.kill(redis.pid, "SIGSTOP");
    try {
      expect(await tab.run(try_)).toEqual({ code: "denylist_unavailable", retry: true });
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    expect(await told(tab)).toEqual([]);
    expect(await tab.run("client.user")).toBeTruthy();
    await tab.page.context().setOffline(true);
    expect(await tab.run(try_)).toEqual({ code: "offline", retry: true });
    expect(await statusOf(tab, ME)).toBe("TypeError");
    await tab.page.context().setOffline(false);
    expect(await told(tab)).toEqual([]);

    await untilReady(service.url);
    expect(await tab.run(try_)).toBe("done");
    expect(await told(tab)).toEqual([{ reason: "logout", here: true }]);
    expect(await statusOf(tab, ME)).toBe(401);
  });
});

describe("a token", () => {
  let stranger: Server;
  let there: string;
  const seen: IncomingHttpHeaders[] = [];
  beforeAll(async () => {
    stranger = createServer((req, res) => {
      seen.push(req.headers);
      res.setHeader("Access-Control-Allow-Origin", "*");
      res.setHeader("Content-Type", "application/json");
      // It would like the visitor to be signed out.
      res.writeHead(401).end('{"code":"token_revoked","reason":"revoked_by_ops"}');
    }).listen(0, "127.0.0.1");
    await once(stranger, "listening");
    there = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    stranger.close();
  });

  async function signIn(): Promise<Tab> {
    const tab = await openTab(browser, service.url, "{}");
    await tab.run(`client.login("${(await register(service.url)).user.email}", "${PASSWORD}")`);
    return tab;
  }

  it("isn't sent to another origin, not by a redirect either, and what is said there is not believed", async () => {
    const tab = await signIn();
    await tab.page.route("**/away", (route) => route.fulfill({ status: 302, headers: { Location: there } }));
    expect(await statusOf(tab, there)).toBe(401);
    expect(await statusOf(tab, "/away")).toBe(401);
    expect(seen).toHaveLength(2);
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
    expect(await told(tab)).toEqual([]);
    expect(await statusOf(tab, ME)).toBe(200);
  });

  it("is kept in memory, where nothing is said of storage", async () => {
    const tab = await signIn();
    expect(await tab.run("localStorage.length + sessionStorage.length")).toBe(0);
    expect(await (await tab.another()).run("client.user ?? null")).toBeNull();
  });

  it.each([
    ["text", `{ method: "POST", body: "once" }`, "once"],
    ["a form", `{ method: "POST", body: new URLSearchParams({ once: 1 }) }`, "once=1"],
    ["a blob", `{ method: "POST", body: new Blob(["once"]) }`, "once"],
  ])(
    "that has expired is refreshed, and the request sent once more, with its body: %s",
    async (_title, init, body) => {
      const tab = await signIn();
      const bodies: (string | null)[] = [];
      const expired = { error: "Unauthorized", code: "token_expired", message: "" };
      await tab.page.route("**/echo", (route, request) => {
        bodies.push(request.postData());
        return bodies.length % 2 === 1
          ? route.fulfill({ status: 401, json: expired })
          : route.fulfill({ body: "" });
      });
      expect(await statusOf(tab, "/echo", init)).toBe(200);
      const asRequest = `client.fetch(new Request("/echo", ${init})).then(({ status }) => status)`;
      expect(await tab.run(asRequest)).toBe(200);
      expect(bodies).toEqual([body, body, body, body]);
    },
  );
});
