import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { startBrowser } from "../helpers/browser";
import { call, eventually, expectRefusal, login, logout, me, PASSWORD, untilReady } from "../helpers/client";
import { useExample } from "../helpers/example";
import { expectNothingLeft, storedBy, tokenOf } from "../helpers/left-behind";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

/** The apps of docs/examples/, which look alike. Run by `scripts/test-examples`, which builds them. */
const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));
const brief = useService(() => ({ REDIS_URL: redis.url, ACCESS_TTL: "2s" }));
const browser = use(() => startBrowser());

const heading = (page: Page, name: string) => page.getByRole("heading", { name, exact: true }).waitFor();
const follow = (page: Page, name: string) => page.getByRole("navigation").getByRole("link", { name }).click();
const logOut = (page: Page) => page.getByRole("navigation").getByRole("button", { name: "Log out" }).click();

async function enter(page: Page, how: "Sign in" | "Sign up", email: string): Promise<void> {
  await follow(page, "Account");
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: how }).click();
  await heading(page, "Account");
  await page.getByText(email).waitFor();
}

async function signUp(url: string): Promise<{ page: Page; email: string }> {
  const { page } = await browser.newPage();
  await page.goto(url);
  await heading(page, "Home");
  const email = `${randomUUID()}@example.com`;
  await enter(page, "Sign up", email);
  return { page, email };
}

describe.each(["react", "next"])("the example with %s", (name) => {
  const example = useExample(name, () => service.url);

  it("logs out: the homepage in all tabs, Back shows nothing private, and the old token gets a 401", async () => {
    const { page, email } = await signUp(example.url);
    const other = await page.context().newPage();
    await other.goto(`${example.url}/account`);
    await other.getByText(email).waitFor();
    const token = await tokenOf(page, service.url);

    await logOut(page);
    for (const [tab, words] of [
      [page, "You are logged out."],
      [other, "You logged out in another tab."],
    ] as const) {
      await heading(tab, "Home");
      await tab.getByText(words).waitFor();
      expect(new URL(tab.url()).pathname).toBe("/");
      await expectNothingLeft(tab, email);
    }

    expectRefusal(await me(service.url, token), 401, "token_revoked");
    for (const tab of [page, other]) {
      await tab.goBack();
      await heading(tab, "Sign in");
      await expectNothingLeft(tab, email);
    }
    await page.reload();
    await heading(page, "Sign in");
    await enter(page, "Sign in", email);
  });

  it("never says that it logged out while Redis doesn't answer, and the next try succeeds", async () => {
    const { page, email } = await signUp(example.url);
    const token = await tokenOf(page, service.url);

    process.kill(redis.pid, "SIGSTOP");
    try {
      await logOut(page);
      await page.getByText("You are still signed in. Please try again.").waitFor();
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await page.getByText(email).waitFor();
    await untilReady(service.url);
    await logOut(page);
    await page.getByText("You are logged out.").waitFor();

    expectRefusal(await me(service.url, token), 401, "token_revoked");
    await expectNothingLeft(page, email);
  });

  it("shows nothing private any more once another device has logged out everywhere", async () => {
    const { page, email } = await signUp(example.url);
    const { access_token: token } = await login(service.url, email);
    expect((await logout(service.url, token, { all_devices: true })).status).toBe(200);

    await follow(page, "Home");
    // Next's layout asks on each page; React's homepage asks nothing.
    if (name === "react") await follow(page, "Account");
    await page.getByText("Your session was ended.").waitFor();

    expect(await page.content()).not.toContain(email);
    expect(await storedBy(page)).not.toMatch(/eyJ/);
    await enter(page, "Sign in", email);
  });
});

describe("the example with Next.js, whose tokens live for two seconds", () => {
  const example = useExample("next", () => brief.url);

  it("goes on when they have expired: a page loaded, a link followed, a request of its own", async () => {
    const { page, email } = await signUp(example.url);
    /** The token that the browser has, once it has expired. */
    const untilExpired = async () => {
      const cookies = await page.context().cookies();
      const token = cookies.find(({ name }) => name === "curfew_access")?.value ?? "";
      await eventually(async () => (await me(brief.url, token)).status === 401);
    };

    await untilExpired();
    await page.reload();
    await page.getByText(email).waitFor();
    await follow(page, "Home");
    await heading(page, "Home");
    await untilExpired();
    await follow(page, "Account");
    await page.getByText(email).waitFor();
    await untilExpired();
    await page.getByRole("button", { name: "Read the report" }).click();
    await page.getByText("Only for").waitFor();
    expect(new URL(page.url()).pathname).toBe("/account");
    const devices = `fetch("/api/auth/sessions").then((response) => response.json())`;
    const { sessions } = await page.evaluate<{ sessions: { user_agent: string }[] }>(devices);
    expect(sessions[0]?.user_agent).toBe(await page.evaluate("navigator.userAgent"));
  });

  it("sends nobody to another site on the way", async () => {
    const { page } = await signUp(example.url);
    for (const to of ["//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example"]) {
      await page.goto(`${example.url}/api/resume?to=${encodeURIComponent(to)}`);
      expect(page.url()).toBe(`${example.url}/sign-in`);
    }
  });
});

describe("the example with Next.js", () => {
  const example = useExample("next", () => service.url);

  it("shows nothing private while Redis doesn't answer, and signs nobody out", async () => {
    const { page, email } = await signUp(example.url);
    process.kill(redis.pid, "SIGSTOP");
    try {
      const answer = await page.goto(`${example.url}/account`);
      expect(answer?.status()).toBe(503);
      expect(await page.content()).not.toContain(email);
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await untilReady(service.url);
    await page.goto(`${example.url}/account`);
    await page.getByText(email).waitFor();
  });

  it("tells nobody who is signed in that the session has ended, whatever the address says", async () => {
    const { page } = await signUp(example.url);
    for (const ended of ["here", "constructor"]) {
      await page.goto(`${example.url}/?ended=${ended}`);
      await heading(page, "Home");
      expect(await page.getByRole("status").count()).toBe(0);
    }
    await logOut(page);
    await page.getByText("You are logged out.").waitFor();
    await page.goto(`${example.url}/?ended=constructor`);
    await page.getByText("Your session was ended.").waitFor();
  });

  it("gives its own data to whom Curfew accepts, and passes on why it refuses", async () => {
    const { page } = await signUp(example.url);
    const headers = { Cookie: `curfew_access=${await tokenOf(page, service.url)}` };
    const report = (options = {}) => call(example.url, "GET", "/api/report", options);
    expect(await report({ headers })).toMatchObject({
      status: 200,
      body: { text: expect.stringContaining("Only for") as string },
    });

    await logOut(page);
    await page.getByText("You are logged out.").waitFor();

    const refused = { status: 401, body: { code: "token_revoked", reason: "logout" } };
    expect(await report({ headers })).toMatchObject(refused);
    expect(await report()).toMatchObject({ status: 401, body: { code: "token_missing" } });
  });
});
