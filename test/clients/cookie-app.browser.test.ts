import type { Page } from "playwright-core";
import { startBrowser } from "../helpers/browser";
import { PASSWORD, register } from "../helpers/client";
import { usePages } from "../helpers/pages";
import { startService, useService } from "../helpers/service";
import { use } from "../helpers/use";

/** An app that keeps its tokens in cookies, for real: Chromium, its cookies, its preflights and what it says of where a request comes from. */
const app = usePages();
const others = usePages();
/** The service by the name under which the browser knows it. */
let home: string;
/** The same site as the service: its cookies go along with requests from there. */
let friend: string;
let neighbour: string;
/** Another site. */
let stranger: string;

beforeAll(() => {
  friend = `http://localhost:${app.port}`;
  neighbour = `http://localhost:${others.port}`;
  stranger = `http://127.0.0.1:${others.port}`;
});
const browser = use(() => startBrowser());
const service = useService(() => ({ REDIS_URL: "memory://", CORS_ORIGINS: friend }));
beforeAll(() => {
  home = service.url.replace("127.0.0.1", "localhost");
});

type Result = { status: number; body: Record<string, unknown> } | { error: string };

type Init = { method?: string; mode?: "no-cors"; headers?: Record<string, string>; body?: string };

/** fetch() in a page, and what the page's own code can see of the answer. */
const fetchIn = (page: Page, url: string, init: Init = {}): Promise<Result> =>
  page.evaluate(
    async ([url, init]) => {
      try {
        const response = await fetch(url, { credentials: "include", ...init });
        const text = await response.text();
        return {
          status: response.status,
          body: (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>,
        };
      } catch (error) {
        return { error: String(error) };
      }
    },
    [url, init] as const,
  );

const post = (page: Page, url: string, body?: unknown) =>
  fetchIn(page, url, {
    method: "POST",
    ...(body !== undefined && {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  });

const cookieNames = async (page: Page) =>
  (await page.context().cookies([home, `${home}/api/auth`])).map(({ name }) => name).sort();

const me = (page: Page) => fetchIn(page, `${home}/api/users/me`);

/** A window at this address, logged in by cookie. */
async function openAt(address: string): Promise<{ page: Page; email: string }> {
  const { page } = await browser.newPage();
  await page.goto(address);
  const { user } = await register(service.url);
  const credentials = { email: user.email, password: PASSWORD, transport: "cookie" };
  expect(await post(page, `${home}/api/auth/login`, credentials)).toMatchObject({
    status: 200,
    body: { user },
  });
  return { page, email: user.email };
}

describe.each([
  ["on our own origin", () => `${home}/docs`],
  ["on another origin of the same site, which CORS_ORIGINS names", () => friend],
])("an app that keeps its tokens in cookies, %s", (_title, address) => {
  it("logs in, sees itself, logs out, has no cookies, is refused, and logs in again, while another device stays in", async () => {
    const { page, email } = await openAt(address());
    const phone = await browser.newPage();
    await phone.page.goto(address());
    const credentials = { email, password: PASSWORD, transport: "cookie" };
    await post(phone.page, `${home}/api/auth/login`, credentials);

    expect(await cookieNames(page)).toEqual(["curfew_access", "curfew_refresh"]);
    expect(await page.evaluate("document.cookie")).toBe("");
    expect(await me(page)).toMatchObject({ status: 200, body: { email } });
    expect(await post(page, `${home}/api/auth/refresh`)).toMatchObject({ status: 200 });
    expect(await post(page, `${home}/api/auth/logout`)).toEqual({
      status: 200,
      body: { success: true, message: "Logged out successfully" },
    });
    expect(await cookieNames(page)).toEqual([]);
    expect(await me(page)).toMatchObject({ status: 401, body: { error: "Unauthorized" } });
    expect(await post(page, `${home}/api/auth/login`, credentials)).toMatchObject({ status: 200 });
    expect(await me(page)).toMatchObject({ status: 200, body: { email } });
    expect(await me(phone.page)).toMatchObject({ status: 200, body: { email } });
  });
});

it("the names and flags of production are taken by the browser, and cleared by a logout", async () => {
  const production = await startService({ REDIS_URL: "memory://", COOKIE_SECURE: "on" });
  const url = production.url.replace("127.0.0.1", "localhost");
  const { page } = await browser.newPage();
  await page.goto(`${url}/docs`);
  const { user } = await register(production.url);
  await post(page, `${url}/api/auth/login`, { email: user.email, password: PASSWORD, transport: "cookie" });
  const cookies = await page.context().cookies(`${url}/api/auth`);
  expect(
    cookies.map(({ name, secure, httpOnly, sameSite }) => ({ name, secure, httpOnly, sameSite })),
  ).toEqual(
    ["__Secure-curfew_refresh", "__Host-curfew_access"].map((name) => ({
      name,
      secure: true,
      httpOnly: true,
      sameSite: "Lax",
    })),
  );
  expect(await fetchIn(page, `${url}/api/users/me`)).toMatchObject({ status: 200 });
  expect(await post(page, `${url}/api/auth/logout`)).toMatchObject({ status: 200 });
  expect(await page.context().cookies(`${url}/api/auth`)).toEqual([]);
  await production.stop();
});

/** Sends a form from the page, as a click on a button of somebody's would, and tells what came of it. */
async function submitForm(page: Page, action: string, enctype: string, field = ""): Promise<string> {
  await page.setContent(
    `<form method="post" action="${action}" enctype="${enctype}">${field}<button>Win!</button></form>`,
  );
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.url() === action),
    page.click("button"),
  ]);
  return ((await response.json()) as { code: string }).code;
}

describe.each([
  ["another site", () => stranger, "token_missing"],
  ["another origin of the same site, which nobody named", () => neighbour, "cross_site_request"],
])("a hostile page on %s", (_title, address, codeOfForm) => {
  it("can't log its visitor out, by fetch or by form, nor see who it is", async () => {
    const { page } = await openAt(`${home}/docs`);
    const hostile = await page.context().newPage();
    await hostile.goto(address());

    expect(await me(hostile)).toHaveProperty("error");
    for (const path of ["/api/auth/logout", "/api/v1/auth/logout", "/api/auth/refresh"]) {
      expect(await post(hostile, home + path)).toHaveProperty("error");
      expect(await post(hostile, home + path, {})).toHaveProperty("error");
      await fetchIn(hostile, home + path, { method: "POST", mode: "no-cors" });
    }
    expect(await fetchIn(hostile, `${home}/api/auth/sessions`, { method: "DELETE" })).toHaveProperty("error");
    const emptyForm = await submitForm(
      hostile,
      `${home}/api/auth/logout`,
      "application/x-www-form-urlencoded",
    );
    expect(emptyForm).toBe(codeOfForm);
    await hostile.goto(address());
    const field = `<input name='{"all_devices": true, "x": "' value='"}'>`;
    const smuggled = await submitForm(hostile, `${home}/api/auth/logout`, "text/plain", field);
    expect(smuggled).toBe("unsupported_media_type");

    expect(await me(page)).toMatchObject({ status: 200 });
    expect(await cookieNames(page)).toEqual(["curfew_access", "curfew_refresh"]);
  });

  it("can't log its visitor in to an account of its own", async () => {
    const { page, email } = await openAt(`${home}/docs`);
    const { user } = await register(service.url);
    const hostile = await page.context().newPage();
    await hostile.goto(address());
    const credentials = { email: user.email, password: PASSWORD, transport: "cookie" };
    expect(await post(hostile, `${home}/api/auth/login`, credentials)).toHaveProperty("error");
    const json = JSON.stringify(credentials);
    await fetchIn(hostile, `${home}/api/auth/login`, { method: "POST", mode: "no-cors", body: json });
    expect(await me(page)).toMatchObject({ status: 200, body: { email } });
  });
});
