import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { startBrowser } from "../helpers/browser";
import { call, eventually, expectRefusal, login, logout, me, PASSWORD, register } from "../helpers/client";
import { startProxy } from "../helpers/proxy";
import { expectNothingLeft, storedBy, tokenOf } from "../helpers/left-behind";
import { useRedis } from "../helpers/redis";
import { startService, useService } from "../helpers/service";
import { use } from "../helpers/use";

const redis = useRedis();
const wire = use(() => startProxy(redis.port));
// A browser beside it takes so much of a small machine that Redis may seem slow.
const service = useService(() => ({
  REDIS_URL: redis.url.replace(String(redis.port), String(wire.port)),
  REDIS_TIMEOUT_MS: "1000",
}));
const browser = use(() => startBrowser());

type Transport = "bearer" | "cookie";
const TRANSPORTS: Transport[] = ["bearer", "cookie"];
const SWITCH = { bearer: "Bearer: in local storage", cookie: "Cookie: where no script can read it" };

async function openDemo(transport: Transport = "bearer", viewport = { width: 1100, height: 800 }) {
  const opened = await browser.newPage({ viewport });
  const { page } = opened;
  await page.goto(service.url);
  await heading(page, "A real logout for stateless JWTs");
  await page.getByLabel(SWITCH[transport]).check();
  return opened;
}

const heading = (page: Page, name: string) => page.getByRole("heading", { name, exact: true }).waitFor();

async function submit(page: Page, name: "Sign in" | "Sign up", email: string, password = PASSWORD) {
  await page.getByRole("navigation").getByRole("link", { name }).click();
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name }).click();
}

async function signUp(page: Page): Promise<string> {
  const email = `${randomUUID()}@example.com`;
  await submit(page, "Sign up", email);
  await heading(page, "Your account");
  return email;
}

async function signIn(page: Page, email: string): Promise<void> {
  await submit(page, "Sign in", email);
  await heading(page, "Your account");
}

async function openSecondTab(page: Page): Promise<Page> {
  const tab = await page.context().newPage();
  await tab.goto(`${service.url}/#/account`);
  await heading(tab, "Your account");
  return tab;
}

const logOut = (page: Page) =>
  page.getByRole("navigation").getByRole("button", { name: "Log out", exact: true }).click();

const notice = (page: Page) => page.locator("#notice");
const trouble = (page: Page) => page.locator("#trouble");

const OLD_TOKEN = {
  bearer: "The token you had: 401 token_revoked, reason logout",
  cookie: "Without your cookie: 401 token_missing",
};

describe.each(TRANSPORTS)("the demo, by %s", (transport) => {
  it("logs out: the homepage, the token forgotten, Back shows nothing private, and the old token gets a 401", async () => {
    const { page, hosts } = await openDemo(transport);
    const email = await signUp(page);
    const token = await tokenOf(page, service.url);

    await logOut(page);
    await heading(page, "A real logout for stateless JWTs");
    await notice(page).getByText("You are logged out.").waitFor();
    await notice(page).getByText(OLD_TOKEN[transport]).waitFor();

    expect(new URL(page.url()).hash).toBe("#/");
    await expectNothingLeft(page, email);
    expectRefusal(await me(service.url, token), 401, "token_revoked");
    await page.goBack();
    await heading(page, "Sign in");
    await expectNothingLeft(page, email);
    await page.reload();
    await heading(page, "Sign in");
    expect([...hosts]).toEqual([new URL(service.url).host]);
    await signIn(page, email);
  });

  it("shows nothing private on Back from another page, after a logout in another tab", async () => {
    const { page } = await openDemo(transport);
    const email = await signUp(page);
    const tab = await openSecondTab(page);
    await page.getByRole("link", { name: "Every route" }).click();
    await page.waitForURL("**/docs");
    await logOut(tab);
    await notice(tab).getByText("You are logged out.").waitFor();

    await page.goBack();

    await heading(page, "Sign in");
    await expectNothingLeft(page, email);
  });

  it("leaves in all tabs at once, and says there that another tab did it", async () => {
    const { page } = await openDemo(transport);
    const email = await signUp(page);
    const tab = await openSecondTab(page);

    await logOut(tab);

    await notice(page).getByText("You logged out in another tab.").waitFor();
    await heading(page, "A real logout for stateless JWTs");
    await notice(page).getByText(OLD_TOKEN[transport]).waitFor();
    await expectNothingLeft(page, email);
  });

  it("logs out everywhere: another device notices, and its token is refused", async () => {
    const { page } = await openDemo(transport);
    const email = await signUp(page);
    const phone = await openDemo(transport);
    await signIn(phone.page, email);
    const token = await tokenOf(phone.page, service.url);

    await page.getByRole("button", { name: "Log out everywhere" }).click();
    await notice(page).getByText("You are logged out everywhere.").waitFor();

    expectRefusal(await me(service.url, token), 401, "token_revoked");
    await heading(phone.page, "A real logout for stateless JWTs");
    await notice(phone.page)
      .getByText(/The token (you had|in your cookie): 401 token_revoked/)
      .waitFor();
    expect(await phone.page.content()).not.toContain(email);
    expect(await storedBy(phone.page)).not.toContain("eyJ");
  });

  it("never says that it logged out while Redis doesn't answer, and the retry succeeds", async () => {
    const { page } = await openDemo(transport);
    const email = await signUp(page);
    const token = await tokenOf(page, service.url);

    wire.breakAfter("request", 20, "silence");
    await logOut(page);
    await trouble(page).getByRole("heading", { name: "You are not logged out yet" }).waitFor();
    expect(await notice(page).innerText()).toBe("");
    expect(await page.getByRole("heading", { name: "Your account" }).isVisible()).toBe(true);
    wire.heal();
    await eventually(async () => (await call(service.url, "GET", "/readyz")).status === 200);
    expect((await me(service.url, token)).status).toBe(200);
    await trouble(page).getByRole("button", { name: "Try again" }).click();
    await notice(page).getByText("You are logged out.").waitFor();

    expect(await trouble(page).innerText()).toBe("");
    await expectNothingLeft(page, email);
    expectRefusal(await me(service.url, token), 401, "token_revoked");
  });

  it("stays signed in, and in its transport, over a reload", async () => {
    const { page } = await openDemo(transport);
    const email = await signUp(page);

    await page.reload();
    await page.getByText(email).waitFor();

    const chosen = page.getByLabel(SWITCH[transport]);
    expect(await chosen.isChecked()).toBe(true);
    expect(await chosen.isDisabled()).toBe(true);
    expect((await storedBy(page)).includes("eyJ")).toBe(transport === "bearer");
    await logOut(page);
    await heading(page, "A real logout for stateless JWTs");
    expect(await chosen.isEnabled()).toBe(true);
  });
});

describe("the demo", () => {
  it("says why it can't sign up or in, keeps the address typed, and works then", async () => {
    const { page } = await openDemo();
    const { user } = await register(service.url);
    const outcome = page.getByRole("main").getByRole("alert");

    await submit(page, "Sign up", user.email);
    await outcome.getByText("There is an account with this e-mail address.").waitFor();
    await page.getByLabel("E-mail address").fill(`${randomUUID()}@example.com`);
    await page.getByLabel("Password").fill("short");
    await page.getByRole("main").getByRole("button", { name: "Sign up" }).click();
    await outcome.getByText("Your password must have at least 15 characters.").waitFor();
    expect(await page.getByLabel("Password").getAttribute("aria-invalid")).toBe("true");
    await submit(page, "Sign in", user.email, "a wrong passphrase");
    await outcome.getByText("The e-mail address or the password is wrong.").waitFor();
    expect(await page.getByLabel("E-mail address").inputValue()).toBe(user.email);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByLabel("Password").press("Enter");

    await heading(page, "Your account");
  });

  it("lists the devices and ends another one, which is told so", async () => {
    const { page } = await openDemo();
    const email = await signUp(page);
    const { access_token: token } = await login(service.url, email);

    const end = page.getByRole("button", { name: "End node" });
    await end.click();
    await page.getByText("Ended: node.").waitFor();

    await end.waitFor({ state: "detached" });
    expectRefusal(await me(service.url, token), 401, "token_revoked");
    expect(await page.getByRole("listitem").innerText()).toContain("this device");
  });

  it("notices that another device ended its session", async () => {
    const { page } = await openDemo();
    const email = await signUp(page);
    const { access_token: token } = await login(service.url, email);

    expect((await logout(service.url, token, { all_devices: true })).status).toBe(200);

    await heading(page, "A real logout for stateless JWTs");
    await notice(page).getByText(OLD_TOKEN.bearer).waitFor();
    await expectNothingLeft(page, email);
  });

  it("has nothing private in it while a browser keeps it for Back, and asks again before it shows anything", async () => {
    const { page } = await openDemo();
    const email = await signUp(page);
    const token = await tokenOf(page, service.url);
    const passOn = (name: string) =>
      page.evaluate(`dispatchEvent(new PageTransitionEvent("${name}", { persisted: true }))`);

    await passOn("pagehide");
    expect(await page.content()).not.toContain(email);
    await passOn("pageshow");
    await page.getByText(email).waitFor();
    await passOn("pagehide");
    expect((await logout(service.url, token)).status).toBe(200);
    await passOn("pageshow");

    await heading(page, "A real logout for stateless JWTs");
    await expectNothingLeft(page, email);
  });

  it("follows another tab that chose the cookie and signed in", async () => {
    const { page } = await openDemo();
    const tab = await page.context().newPage();
    await tab.goto(service.url);
    await tab.getByLabel(SWITCH.cookie).check();
    const email = await signUp(tab);

    await page.bringToFront();
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await page.getByRole("navigation").getByRole("link", { name: "Account" }).click();

    await page.getByText(email).waitFor();
    expect(await page.getByLabel(SWITCH.cookie).isChecked()).toBe(true);
  });

  it("works by keyboard alone, and moves the focus to the heading of what it shows", async () => {
    const { page } = await openDemo();
    const focused = () => page.evaluate("document.activeElement.textContent.trim()");
    const pressUntilFocused = async (name: string) => {
      for (let times = 0; (await focused()) !== name; times += 1) {
        expect(times).toBeLessThan(30);
        await page.keyboard.press("Tab");
      }
    };

    await pressUntilFocused("Sign up");
    await page.keyboard.press("Enter");
    await eventually(async () => (await page.evaluate("document.activeElement.tagName")) === "H2");
    expect(await focused()).toBe("Sign up");
    await page.keyboard.press("Tab");
    await page.keyboard.type(`${randomUUID()}@example.com`);
    await page.keyboard.press("Tab");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await eventually(async () => (await focused()) === "Your account");
    await pressUntilFocused("Log out everywhere");
    await page.keyboard.press("Enter");

    await eventually(async () => (await focused()) === "A real logout for stateless JWTs");
    await notice(page).getByText("You are logged out everywhere.").waitFor();
  });

  it.each(["nothing", "constructor", "__proto__"])(
    "shows the homepage at an address that names no view: %s",
    async (name) => {
      const { page } = await browser.newPage();
      await page.goto(`${service.url}/#/${name}`);
      await heading(page, "A real logout for stateless JWTs");
    },
  );

  it("tells password managers what its fields are", async () => {
    const { page } = await openDemo();
    const purposes = async (name: string) => {
      await page.getByRole("navigation").getByRole("link", { name }).click();
      await heading(page, name);
      return [
        await page.getByLabel("E-mail address").getAttribute("autocomplete"),
        await page.getByLabel("Password").getAttribute("autocomplete"),
      ];
    };

    expect(await purposes("Sign in")).toEqual(["username", "current-password"]);
    expect(await purposes("Sign up")).toEqual(["username", "new-password"]);
  });

  it("fits a phone, and breaks no policy of its own", async () => {
    const { page, complaints } = await openDemo("bearer", { width: 360, height: 740 });
    const fits = async () => {
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    };

    await fits();
    for (const name of ["Sign in", "Sign up"]) {
      await page.getByRole("navigation").getByRole("link", { name }).click();
      await heading(page, name);
      await fits();
    }
    await signUp(page);
    await page.getByRole("listitem").waitFor();
    await fits();
    await logOut(page);
    await notice(page).getByText(OLD_TOKEN.bearer).waitFor();
    await fits();

    // Chromium reports each refusal, too: of who is signed in, and of the copy.
    expect(complaints.filter((text) => !/status of (401|503)/.test(text))).toEqual([]);
  });
});

it("is a 404 in JSON, with its files, where it is switched off", async () => {
  const off = await startService({ REDIS_URL: "memory://", DEMO: "off" });

  for (const path of ["/", "/demo/demo.js", "/demo/demo.css"])
    expectRefusal(await call(off.url, "GET", path), 404, "not_found");
  const { body } = await call(off.url, "GET", "/openapi.json");
  expect((body as { paths: object }).paths).not.toHaveProperty(["/"]);

  await off.stop();
});
