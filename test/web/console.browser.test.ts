import type { Page } from "playwright-core";
import { startBrowser } from "../helpers/browser";
import { call, eventually, login, logout, me, PASSWORD, register, type Tokens } from "../helpers/client";
import { becomeOps } from "../helpers/ops-user";
import { startRedis, useRedis } from "../helpers/redis";
import { startService, useService } from "../helpers/service";
import { use } from "../helpers/use";

const redis = useRedis(["--appendonly yes"]);
// A browser beside it takes so much of a small machine that Redis may seem slow.
const service = useService(() => ({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: "1000" }));
const browser = use(() => startBrowser());

const HOSTILE = "<img src=x onerror=\"document.title='owned'\">";

const claimsOf = ({ access_token: token }: Tokens) =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<
    "jti" | "sid" | "sub",
    string
  >;

async function signIn(page: Page, url: string, email: string, password = PASSWORD): Promise<void> {
  await page.goto(`${url}/ops`);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** A window of somebody of the ops staff, who has signed in there. */
async function openConsole(url = service.url, admin = redis, viewport = { width: 1200, height: 800 }) {
  const opened = await browser.newPage({ viewport });
  const ops = await becomeOps(url, admin);
  await signIn(opened.page, url, ops.user.email);
  await opened.page.getByRole("heading", { name: "Revocations" }).waitFor();
  // The question who is signed in is answered with a 401, before anybody is.
  await eventually(() => Promise.resolve(opened.complaints.length > 0));
  opened.complaints.length = 0;
  return { ...opened, ops, show: (hash: string) => opened.page.goto(`${url}/ops${hash}`) };
}

async function loggedOut(headers: Record<string, string> = {}): Promise<Tokens> {
  const tokens = await register(service.url);
  const answer = await call(service.url, "POST", "/api/auth/logout", {
    token: tokens.access_token,
    headers,
  });
  expect(answer.status).toBe(200);
  return tokens;
}

async function revokeByOps(ops: Tokens, body: object): Promise<void> {
  const answer = await call(service.url, "POST", "/api/ops/revocations", { token: ops.access_token, body });
  expect(answer.status).toBe(201);
}

async function lift(ops: Tokens, jti: string): Promise<void> {
  const path = `/api/ops/revocations/token/${jti}`;
  expect((await call(service.url, "DELETE", path, { token: ops.access_token })).status).toBe(200);
}

const widthOf = (page: Page) => page.evaluate("document.documentElement.scrollWidth");

describe("the console", () => {
  it("lets nobody in without the role, and says what is missing", async () => {
    const { page } = await browser.newPage();
    const { user } = await register(service.url);

    await signIn(page, service.url, user.email, "a wrong passphrase");
    await page.getByRole("alert").filter({ hasText: /\S/ }).waitFor();
    expect(await page.getByLabel("Password").inputValue()).toBe("");
    await signIn(page, service.url, user.email);
    await page.getByRole("heading", { name: "You may not see this" }).waitFor();

    expect(await page.getByRole("alert").innerText()).toContain("lacks the role ops");
    expect(await page.getByRole("navigation").isVisible()).toBe(false);
    await page.getByRole("button", { name: "Sign in as somebody else" }).click();
    await page.getByLabel("E-mail address").waitFor();
  });

  it("shows a revocation that happens while somebody looks, and counts its life down", async () => {
    const { page, complaints, hosts } = await openConsole();
    await page.getByText("Live", { exact: true }).waitFor();

    const { jti } = claimsOf(await loggedOut());
    const row = page.getByRole("row").filter({ hasText: `token ${jti}` });
    await row.waitFor();
    const left = row.locator(".remaining");
    const before = await left.textContent();
    await eventually(async () => (await left.textContent()) !== before);

    expect(await left.textContent()).toMatch(/^1[45] min/);
    expect(await row.innerText()).toContain("logged out");
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(service.url).host]);
  });

  it("stays signed in over a reload, without a token that a script could read", async () => {
    const { page, complaints } = await openConsole();
    await page.reload();

    await page.getByRole("heading", { name: "Revocations" }).waitFor();

    expect(await page.evaluate("document.cookie + localStorage.length + sessionStorage.length")).toBe("00");
    expect(complaints).toEqual([]);
  });

  it("exchanges an access token that is over, once for all that ask", async () => {
    const { page, show } = await openConsole();
    const refreshes: string[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/refresh")) refreshes.push(request.url());
    });
    const cookies = await page.context().cookies();
    const spoilt = cookies.filter(({ name }) => name === "curfew_access");
    for (const cookie of spoilt) cookie.value = `${cookie.value.slice(0, -4)}AAAA`;
    await page.context().addCookies(spoilt);
    await show("#/overview");

    await page.getByText("Append-only file").waitFor();
    await page.getByText("Live, beginning").waitFor();

    expect(refreshes).toHaveLength(1);
  });

  it("filters by user, kind, reason and text, and the back button takes it back", async () => {
    const { page, ops } = await openConsole();
    const [one, other] = [claimsOf(await loggedOut()), await register(service.url)];
    await revokeByOps(ops, { token: other.access_token, reason: "laptop [stolen]*" });
    const { jti } = claimsOf(other);

    await page.getByLabel("Contains").fill("[STOLEN]*");
    await page.getByRole("main").getByLabel("Reason").selectOption("revoked_by_ops");
    await page.getByLabel("Kind").selectOption("token");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByText("1 shown.").waitFor();
    expect(await page.getByRole("table").innerText()).toContain(jti);

    await page.goBack();
    await page.getByRole("row").filter({ hasText: one.jti }).waitFor();
    expect(await page.getByLabel("Contains").inputValue()).toBe("");
    await page.getByRole("textbox", { name: "User" }).fill(other.user.email);
    await page.getByLabel("Show").selectOption("any");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByText("1 shown. That is all.").waitFor();
    expect(await page.getByRole("table").innerText()).toContain(jti);
  });

  it("keeps a token out of its address, wherever somebody pastes it", async () => {
    const { page } = await openConsole();
    const { access_token: token } = await loggedOut();

    await page.getByLabel("Contains").fill(token);
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByText("That is a token").waitFor();

    expect(page.url()).not.toContain(token);
    expect(await page.getByLabel("Contains").inputValue()).toBe("");
  });

  it("lists everything page by page, without what is lifted, and can be stopped", async () => {
    const { page, show, ops } = await openConsole();
    for (let at = 0; at < 60; at += 1)
      await redis.admin.set(`curfew:denylist:jti:by-hand-${at}`, "why", "EX", 900);

    await show("#/revocations?order=any&q=by-hand-");
    await page.getByRole("button", { name: "Load more" }).waitFor();
    expect(await page.getByRole("row").count()).toBeLessThan(61);
    while (await page.getByRole("button", { name: "Load more" }).isVisible()) {
      await page.getByRole("button", { name: "Load more" }).click();
      await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
    }
    expect(await page.getByRole("row").count()).toBe(61);

    const entry = JSON.stringify({
      jti: "by-hand-j",
      sub: "clerk:ada",
      revoked_at: new Date().toISOString(),
    });
    await redis.admin.set("curfew:denylist:jti:clerk:by-hand-j", entry, "EX", 900);
    await show("#/revocations?order=any&q=by-hand-j");
    await page.getByRole("row").filter({ hasText: "clerk:by-hand-j" }).waitFor();
    await lift(ops, "clerk:by-hand-j");
    await page.getByRole("row").filter({ hasText: "clerk:by-hand-j" }).waitFor({ state: "detached" });
    await show("#/revocations?order=any&q=by-hand-59");
    await page.getByRole("row").filter({ hasText: "by-hand-59" }).waitFor();
    await lift(ops, "by-hand-59");
    await page.getByRole("row").filter({ hasText: "by-hand-59" }).waitFor({ state: "detached" });

    await page.route("**/api/ops/revocations?*", (route) =>
      route.fulfill({ json: { items: [], next_cursor: "more", looked: 1000, of: 1_000_000 } }),
    );
    await show("#/revocations?order=any&q=nothing");
    await page.getByText("Looked at 1000 of 1000000 keys").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Load more" }).waitFor();
  });

  it("tells an entry's story, with what refused it, its key and its events", async () => {
    const { page, show } = await openConsole();
    const tokens = await loggedOut({ "User-Agent": HOSTILE });
    const { jti, sid } = claimsOf(tokens);
    expect((await me(service.url, tokens.access_token)).status).toBe(401);

    await show(`#/entry/token/${jti}`);
    await page.getByText("a revoked token was used").waitFor();

    const story = await page.getByRole("main").innerText();
    for (const part of [jti, sid, "one token", "logged out", "the user", "127.0.0.1", HOSTILE])
      expect(story).toContain(part);
    expect(story).toContain(`redis-cli GET 'curfew:denylist:jti:${jti}'`);
    expect(story).toMatch(/Refused uses\s+1\s/);
    expect(await page.locator("main img").count()).toBe(0);
    expect(await page.title()).toBe("Entry · Curfew");
  });

  it("lifts by keyboard alone after a second look, and says what refuses the token all the same", async () => {
    const { page, show, complaints } = await openConsole();
    const tokens = await loggedOut();
    const { jti, sid } = claimsOf(tokens);
    await show(`#/entry/token/${jti}`);
    const open = page.getByRole("button", { name: "Lift …" });
    await open.waitFor();
    const pressUntilFocused = async (name: string) => {
      const isFocused = async () => (await page.evaluate("document.activeElement.textContent")) === name;
      for (let times = 0; !(await isFocused()); times += 1) {
        expect(times).toBeLessThan(30);
        await page.keyboard.press("Tab");
      }
    };

    await pressUntilFocused("Lift …");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.getByText("This token will be accepted again").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(await redis.admin.exists(`curfew:denylist:jti:${jti}`)).toBe(1);
    await pressUntilFocused("Lift …");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    expect(await dialog.isVisible()).toBe(true);
    await page.keyboard.type("logged out by mistake");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Lifted" }).waitFor();

    const still = page.getByRole("status");
    expect(await still.innerText()).toContain("Its session was ended.");
    expect(await redis.admin.exists(`curfew:denylist:jti:${jti}`)).toBe(0);
    await still.getByRole("link", { name: "See its story, or lift it" }).press("Enter");
    await page.getByRole("heading", { name: "A revoked session" }).waitFor();
    await open.click();
    await dialog.getByLabel("Reason").fill("logged out by mistake");
    await dialog.getByRole("button", { name: "Lift it" }).click();
    await page.getByText("It is accepted again.").waitFor();
    expect(await redis.admin.exists(`curfew:denylist:sid:${sid}`)).toBe(0);
    expect((await me(service.url, tokens.access_token)).status).toBe(200);
    expect(complaints).toEqual([]);
  });

  it("explains a pasted token, and neither keeps it nor puts it into an address", async () => {
    const { page, show, ops } = await openConsole();
    const tokens = await register(service.url);
    await revokeByOps(ops, { token: tokens.access_token, reason: "laptop stolen" });
    await show("#/why");
    const explain = async (text: string, verdict: string) => {
      await page.getByLabel("Token or jti").fill(text);
      await page.getByRole("button", { name: "Explain" }).click();
      await page.locator(".big", { hasText: verdict }).waitFor();
      expect(await page.getByLabel("Token or jti").inputValue()).toBe("");
    };

    await explain(`Bearer ${tokens.access_token}`, "Refused");
    const said = await page.getByRole("main").innerText();
    for (const part of ["This token was revoked.", "laptop stolen", `ops:${ops.user.email}`])
      expect(said).toContain(part);
    expect(said).not.toContain(tokens.access_token);
    expect(page.url()).toBe(`${service.url}/ops#/why`);
    await explain(claimsOf(tokens).jti, "Refused");
    await explain("no-such-jti", "Not revoked by this id");
    await explain(`${tokens.access_token.slice(0, -4)}AAAA`, "Not genuine");
    await explain(ops.access_token, "Accepted");
    await explain(ops.refresh_token, "Accepted");
  });

  it("revokes a session with a reason, and a token by its jti", async () => {
    const { page, show, ops } = await openConsole();
    const tokens = await register(service.url);
    const { sid } = claimsOf(tokens);
    await show("#/revoke");

    await page.getByLabel("A session").check();
    await page.getByLabel("Session", { exact: true }).fill(sid);
    await page.getByRole("main").getByLabel("Reason").fill("shared computer");
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("heading", { name: "Revoked", exact: true }).waitFor();
    expect((await me(service.url, tokens.access_token)).status).toBe(401);
    await page.getByRole("link", { name: "Its story" }).click();
    await page.getByText("shared computer").first().waitFor();
    expect(await page.getByRole("main").innerText()).toContain(`ops:${ops.user.email}`);

    await show("#/revoke");
    await page.getByLabel("A token by its jti").check();
    await page.getByLabel("jti", { exact: true }).fill("some-jti");
    await page.getByLabel("When the token expires").fill("2099-01-01T00:00:00");
    await page.getByRole("main").getByLabel("Reason").fill("seen in a log");
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("heading", { name: "Revoked", exact: true }).waitFor();
    expect(JSON.parse((await redis.admin.get("curfew:denylist:jti:some-jti")) ?? "")).toMatchObject({
      reason: "revoked_by_ops",
      note: "seen in a log",
    });
  });

  it("shows a user's sessions with device and last use, and ends one or all", async () => {
    const { page, show } = await openConsole();
    const { user, ...first } = await register(service.url);
    const second = await login(service.url, user.email);
    await show("#/user");

    await page.getByLabel("User", { exact: true }).fill(user.email);
    await page.getByRole("button", { name: "Show sessions" }).click();
    await page.getByRole("button", { name: "End …" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("unknown device");
    await dialog.getByRole("button", { name: "End it" }).click();
    await dialog.waitFor({ state: "hidden" });
    await eventually(async () => (await page.getByRole("button", { name: "End …" }).count()) === 1);
    const statuses = [await me(service.url, first.access_token), await me(service.url, second.access_token)];
    expect(statuses.map(({ status }) => status).sort()).toEqual([200, 401]);

    await page.getByRole("button", { name: "End all …" }).click();
    await dialog.getByText("On every device").waitFor();
    await dialog.getByLabel("Reason").fill("account taken over");
    await dialog.getByRole("button", { name: "End them all" }).click();
    await page.getByText("This user has no live session.").waitFor();
    expect((await me(service.url, second.access_token)).status).toBe(401);
  });

  it("shows events as they happen, and holds them while paused", async () => {
    const { page, show } = await openConsole();
    await show("#/events");
    await page.getByText("Live: events appear").waitFor();

    await page.getByRole("button", { name: "Pause" }).click();
    const { jti } = claimsOf(await loggedOut());
    await page.getByText(/Paused\. 1 new\./).waitFor();
    expect(await page.getByRole("row").filter({ hasText: jti }).count()).toBe(0);
    await page.getByRole("button", { name: "Resume" }).click();

    await page.getByRole("row").filter({ hasText: jti }).waitFor();
  });

  it("says when the stream of events ends, and goes on where it was", async () => {
    const { page, show } = await openConsole();
    const before = claimsOf(await loggedOut());
    const [[place] = []] = await redis.admin.xrevrange("curfew:events", "+", "-", "COUNT", 1);
    const missed = claimsOf(await loggedOut());
    const resumedAfter: (string | undefined)[] = [];
    await page.route("**/api/ops/events*", async (route) => {
      resumedAfter.push(route.request().headers()["last-event-id"]);
      if (resumedAfter.length === 1) {
        const said = {
          timestamp: new Date().toISOString(),
          by: null,
          ip: null,
          user_agent: null,
          note: null,
        };
        const event = { id: place, event: "logout", kind: "session", ...before, ...said };
        const body = `: hello\n\nid: ${place}\ndata: ${JSON.stringify(event)}\n\n`;
        await route.fulfill({ contentType: "text/event-stream", body });
        return;
      }
      await page.getByText("The connection ended. Trying again …").waitFor();
      await route.continue();
    });

    await show("#/events");
    await page.getByRole("row").filter({ hasText: missed.jti }).waitFor();

    expect(resumedAfter).toEqual([undefined, place]);
    expect(await page.getByRole("row").filter({ hasText: before.jti }).count()).toBe(1);
    await page.getByText("Live: events appear").waitFor();
  });

  it("draws revocations and refused uses, and says how Redis is", async () => {
    const { page, show } = await openConsole();
    await show("#/overview");
    const chart = page.getByRole("img", { name: /revocations and \d+ refused uses in the last/ });
    await chart.waitFor();
    const before = await chart.getAttribute("aria-label");

    await loggedOut();
    await eventually(async () => (await chart.getAttribute("aria-label")) !== before);

    await page.getByText("Append-only file").waitFor();
    const said = await page.getByRole("main").innerText();
    expect(said).toMatch(/Version\s+\d+\.\d+/);
    expect(said).toMatch(/Replicas\s+0/);
    expect(said).toContain("Remembers since");
    expect(said).toMatch(/Epoch\s+\d+-\w+/);
  });

  it("has a name for everything that can be filled in or pressed, and fits a phone", async () => {
    const { page, show, complaints } = await openConsole(service.url, redis, { width: 360, height: 740 });
    const { jti, sub } = claimsOf(await loggedOut({ "User-Agent": "x".repeat(128) }));
    const views = ["revocations", "why", "revoke", `entry/token/${jti}`, `user/${sub}`, "events", "overview"];

    for (const view of views) {
      await show(`#/${view}`);
      await page.locator("main h2").waitFor();
      await eventually(async () => (await page.locator("main").innerText()).length > 60);
      expect(await widthOf(page)).toBe(360);
      const unnamed = "main :is(input, select, textarea):not(label *), button:empty:not(dialog *)";
      expect(await page.locator(unnamed).count()).toBe(0);
    }
    expect(complaints).toEqual([]);
  });

  it("signs out, here and everywhere that the cookies were", async () => {
    const { page } = await openConsole();
    const cookies = await page.context().cookies();
    const token = cookies.find(({ name }) => name === "curfew_access")?.value ?? "";

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("E-mail address").waitFor();

    expect((await me(service.url, token)).status).toBe(401);
    expect(await page.context().cookies()).toEqual([]);
    expect(await page.getByRole("table").count()).toBe(0);
  });

  it("says so when its own session is ended, and asks to sign in", async () => {
    const { page, ops } = await openConsole();
    await page.getByText("Live", { exact: true }).waitFor();

    expect((await logout(service.url, ops.access_token, { all_devices: true })).status).toBe(200);

    await page.getByLabel("E-mail address").waitFor();
    expect(await page.getByRole("alert").innerText()).toMatch(/\S/);
  });
});

it("says what it means when Redis can't be reached, and recovers by itself", async () => {
  const own = await startRedis(["--appendonly yes"]);
  const instance = await startService({ REDIS_URL: own.url });
  const { page, show } = await openConsole(instance.url, own);
  await own.kill();

  await show("#/overview");
  await page
    .getByRole("heading", { name: "Redis can’t be reached; nothing is accepted until it can" })
    .waitFor();
  await page.getByText("Not connected: Redis can’t be reached.").waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await own.start(["--appendonly yes"]);

  await page.getByText("Append-only file").waitFor();
  await page.getByText("Live, beginning").waitFor();
  await instance.stop();
  await own.stop();
});
