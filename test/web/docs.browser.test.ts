import type { Page } from "playwright-core";
import { startBrowser, type TestPage } from "../helpers/browser";
import { call, eventually } from "../helpers/client";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

type Description = { paths: Record<string, Record<string, unknown>> };

const service = useService(() => ({ REDIS_URL: "memory://" }));
const browser = use(() => startBrowser());

async function openDocs(hash = ""): Promise<TestPage> {
  const opened = await browser.newPage();
  await opened.page.goto(`${service.url}/docs${hash}`);
  await opened.page.locator("#loading").waitFor({ state: "detached" });
  return opened;
}

const routeOf = (page: Page, title: string) =>
  page.locator(".route", { has: page.getByRole("heading", { name: title, exact: true }) });

/** Sends a route's request by keyboard alone, and tells what the page says of the answer. */
async function tryRoute(page: Page, title: string, body?: string) {
  const route = routeOf(page, title);
  if ((await route.getAttribute("open")) === null) await route.locator("summary").press("Enter");
  if (body !== undefined) await route.getByLabel("Body, as JSON").fill(body);
  await route.getByRole("button", { name: "Try it" }).press("Enter");
  await route.locator("[data-kind=good], [data-kind=bad]").waitFor();
  return {
    outcome: await route.locator(".outcome").textContent(),
    headers: await route.locator(".headers").innerText(),
    content: (await route.locator(".content").textContent()) ?? "",
  };
}

const UNAUTHORIZED = "Failed to load resource: the server responded with a status of 401 (Unauthorized)";

describe("the page at /docs", () => {
  it("shows every route of /openapi.json", async () => {
    const { page, complaints, hosts } = await openDocs();
    const { paths } = (await call(service.url, "GET", "/openapi.json")).body as Description;
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );

    const shown: string[] = [];
    for (const route of await page.locator(".route").all()) {
      const path = await route.locator(".path").textContent();
      const methods = await route.locator("option").allTextContents();
      shown.push(...methods.map((method) => `${method} ${path}`));
    }

    expect(described).toContain("POST /api/auth/logout");
    expect(shown.sort()).toEqual(described.sort());
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(service.url).host]);
  });

  it("keeps the routes that only repeat others closed until they are asked for", async () => {
    const { page } = await openDocs();
    const twin = routeOf(page, "POST /api/v1/auth/login");

    expect(await routeOf(page, "POST /api/auth/login").isVisible()).toBe(true);
    expect(await page.locator(".route:visible", { hasText: "/api/v1/" }).count()).toBe(0);
    await page.getByText("The same routes again.").click();

    await twin.waitFor();
  });

  it("opens the route that its address names", async () => {
    const { page } = await openDocs("#delete-api-v1-auth-sessions-id-");

    await routeOf(page, "DELETE /api/v1/auth/sessions/{id}").getByLabel("id, in the path").waitFor();
  });

  it("sends what is asked for in the query", async () => {
    const { page } = await openDocs("#get-api-ops-revocations");
    const route = routeOf(page, "GET /api/ops/revocations");
    const asked = page.waitForRequest((request) => request.url().includes("/api/ops/"));

    await route.getByLabel("q, in the query").fill("a&b");
    await route.getByLabel("order, in the query: any, newest").fill("newest");
    await route.getByRole("button", { name: "Try it" }).click();

    expect((await asked).url()).toBe(`${service.url}/api/ops/revocations?q=a%26b&order=newest`);
  });

  it("shows what is for servers, and has nothing to send it with", async () => {
    const { page } = await openDocs("#post-oauth-introspect");
    const route = routeOf(page, "POST /oauth/introspect");

    await route.getByText("A form, sent by a server").waitFor();
    expect(await route.locator(".takes").innerText()).toContain("token: string");
    for (const part of ["button", "textarea", ".lock"])
      expect(await route.locator(part).filter({ visible: true }).count()).toBe(0);
  });

  it("registers, asks who it is, logs out, and is refused from then on", async () => {
    const { page, complaints, hosts } = await openDocs();

    const registered = await tryRoute(page, "POST /api/auth/register");
    const { access_token, refresh_token } = JSON.parse(registered.content) as Record<string, string>;
    const [accessToken, refreshToken] = [page.locator("#access-token"), page.locator("#refresh-token")];
    expect(registered.outcome).toBe("201 Created");
    expect([await accessToken.inputValue(), await refreshToken.inputValue()]).toEqual([
      access_token,
      refresh_token,
    ]);

    const me = await tryRoute(page, "GET /api/users/me");
    expect(me.outcome).toBe("200 OK");
    expect(JSON.parse(me.content)).toMatchObject({ email: "ada@example.com" });

    const editor = routeOf(page, "POST /api/auth/logout").getByLabel("Body, as JSON");
    expect(JSON.parse(await editor.inputValue())).toEqual({ refresh_token });
    const loggedOut = await tryRoute(page, "POST /api/auth/logout");
    expect(loggedOut.outcome).toBe("200 OK");
    expect(JSON.parse(loggedOut.content)).toEqual({ success: true, message: "Logged out successfully" });
    expect(complaints).toEqual([]);

    const refused = await tryRoute(page, "GET /api/users/me");
    expect(refused.outcome).toBe("401 Unauthorized: The access token has been revoked.");
    expect(JSON.parse(refused.content)).toMatchObject({ code: "token_revoked" });
    expect(refused.headers).toContain('Bearer realm="curfew", error="invalid_token"');
    expect(refused.headers).toContain("x-request-id");

    await eventually(() => Promise.resolve(complaints.length > 0));
    expect(complaints).toEqual([UNAUTHORIZED]);
    expect([...hosts]).toEqual([new URL(service.url).host]);
    expect(await page.evaluate("localStorage.length + sessionStorage.length")).toBe(0);
    expect(await page.context().cookies()).toEqual([]);
  });

  it("leaves alone what somebody has written into a body, whatever the tokens are", async () => {
    const { page } = await openDocs();
    const logout = routeOf(page, "POST /api/auth/logout");
    const refresh = routeOf(page, "POST /api/auth/refresh");
    await logout.locator("summary").press("Enter");
    await logout.getByLabel("Body, as JSON").fill('{"all_devices": true}');

    await page.locator("#refresh-token").fill("another");
    await page.locator("#refresh-token").press("Tab");

    expect(await logout.getByLabel("Body, as JSON").inputValue()).toBe('{"all_devices": true}');
    const example = await refresh.getByLabel("Body, as JSON").inputValue();
    expect(JSON.parse(example)).toEqual({ refresh_token: "another" });
  });

  it("says that a body isn't JSON, and doesn't send it", async () => {
    const { page, complaints } = await openDocs();
    const sent: string[] = [];
    page.on("request", (request) => sent.push(`${request.method()} ${request.url()}`));

    const { outcome } = await tryRoute(page, "POST /api/auth/login", '{"email": }');

    expect(outcome).toMatch(/^Not sent: the body is not JSON\. \S/);
    const editor = routeOf(page, "POST /api/auth/login").getByLabel("Body, as JSON");
    expect(await editor.getAttribute("aria-invalid")).toBe("true");
    expect(sent.filter((request) => request.startsWith("POST"))).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it("says why it got no answer, or one that isn't Curfew's, and shows markup as text", async () => {
    const { page } = await openDocs();
    const json = { error: "Service Unavailable", code: "denylist_unavailable", message: "Redis is away." };

    await page.route("**/readyz", (route) =>
      route.fulfill({ status: 503, headers: { "Retry-After": "7" }, json }),
    );
    const unavailable = await tryRoute(page, "GET /readyz");
    expect(unavailable.outcome).toBe("503 Service Unavailable: Redis is away. It may work in 7 s.");

    const markup = "<img src=x onerror=alert(1)>";
    await page.route("**/readyz", (route) => route.fulfill({ status: 502, body: markup }));
    const strange = await tryRoute(page, "GET /readyz");
    expect(strange.outcome).toMatch(/^502 Bad Gateway: The answer doesn’t look like Curfew’s/);
    expect(strange.content).toBe(markup);

    await page.route("**/readyz", (route) => route.abort("connectionrefused"));
    const silent = await tryRoute(page, "GET /readyz");
    expect(silent.outcome).toMatch(/^No answer from 127\.0\.0\.1:\d+\. Is it running\?/);
  });

  it("says so when there is no description to show", async () => {
    const { page } = await browser.newPage();
    await page.route("**/openapi.json", (route) => route.fulfill({ status: 503, body: "" }));
    await page.goto(`${service.url}/docs`);

    await page.locator("#loading.problem").waitFor();

    expect(await page.locator("#loading").textContent()).toBe(
      "The routes can’t be shown. /openapi.json answered 503 Service Unavailable. Try again later.",
    );
  });

  it("has a policy under which no script runs that was put into it", async () => {
    const { page, complaints } = await openDocs();

    await page.evaluate(
      "document.body.append(Object.assign(document.createElement('script'), { textContent: 'injected = 1' }))",
    );

    expect(await page.evaluate("typeof injected")).toBe("undefined");
    await eventually(() => Promise.resolve(complaints.length > 0));
    expect(complaints).toEqual([expect.stringContaining("Content Security Policy")]);
  });
});
