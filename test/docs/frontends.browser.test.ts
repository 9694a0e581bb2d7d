import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { startBrowser } from "../helpers/browser";
import {
  call,
  eventually,
  expectRefusal,
  login,
  logout,
  me,
  PASSWORD,
  register,
  type Tokens,
} from "../helpers/client";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

/** What docs/frontends.md shows, run in a page. */
const service = useService(() => ({ REDIS_URL: "memory://" }));
const brief = useService(() => ({ REDIS_URL: "memory://", ACCESS_TTL: "2s" }));
const browser = use(() => startBrowser());

const text = readFileSync("docs/frontends.md", "utf8");

/** The snippets of a section, one after another, with what they give a page. */
function snippetsOf(section: string, names: string): string {
  const [, start = ""] = text.split(`\n## ${section}\n`);
  const [own = ""] = start.split("\n## ");
  const snippets = [...own.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(snippets).not.toEqual([]);
  return `${snippets.join("\n")}; Object.assign(globalThis, { ${names} });`;
}

/** A page of the service's origin, of somebody who has an account. */
async function openPage(url: string): Promise<{ page: Page; email: string }> {
  const { page } = await browser.newPage({ bypassCSP: true });
  await page.goto(`${url}/healthz`);
  const { user } = await register(url);
  return { page, email: user.email };
}

it("the client signs in and out", async () => {
  const { page, email } = await openPage(service.url);
  await page.evaluate(`Object.assign(globalThis, {
    email: "${email}",
    password: "${PASSWORD}",
    said: [],
    sayGoodbye: (text) => said.push(text),
    complain: (text) => said.push(text),
  })`);
  const content = snippetsOf("The client", "response, client, logOut");
  await page.addScriptTag({ type: "module", content });
  await page.waitForFunction("globalThis.response");
  expect(await page.evaluate("response.json()")).toMatchObject({ email });

  await page.context().setOffline(true);
  await page.evaluate("logOut()");
  await page.context().setOffline(false);
  await page.evaluate("logOut()");

  expect(await page.evaluate("said")).toEqual([
    "You are still signed in. Please try again.",
    "You are signed out.",
  ]);
});

describe("plain fetch", () => {
  async function signIn() {
    const opened = await openPage(brief.url);
    await opened.page.addScriptTag({
      content: `${snippetsOf("With plain fetch", "logIn, send, logOut")} var held = () => tokens;`,
    });
    await opened.page.evaluate(`logIn("${opened.email}", "${PASSWORD}")`);
    const held = () => opened.page.evaluate<Tokens | null>("held() ?? null");
    return { ...opened, held, before: (await held()) ?? ({} as Tokens) };
  }
  const send = (page: Page) => page.evaluate<number>(`send("/api/users/me").then(({ status }) => status)`);

  it("refreshes once for all requests that meet a dead token, and logs out", async () => {
    const { page, held, before } = await signIn();
    let refreshes = 0;
    page.on("request", (request) => {
      if (request.url().endsWith("/refresh")) refreshes += 1;
    });
    await eventually(async () => (await me(brief.url, before.access_token)).status === 401);

    expect(await Promise.all([send(page), send(page), send(page)])).toEqual([200, 200, 200]);
    expect(refreshes).toBe(1);
    const { refresh_token = "" } = (await held()) ?? {};
    expect(refresh_token).not.toBe(before.refresh_token);

    await page.evaluate("logOut()");
    expect(await held()).toBeNull();
    const answer = await call(brief.url, "POST", "/api/auth/refresh", { body: { refresh_token } });
    expectRefusal(answer, 401, "refresh_token_invalid");
  });

  it("keeps the tokens where a logout or a refresh fails for now, and forgets them where the session is over", async () => {
    const { page, email, held, before } = await signIn();
    const code = "denylist_unavailable";
    await page.route("**/logout", (route) => route.fulfill({ status: 503, json: { code } }), { times: 1 });
    expect(await page.evaluate("logOut().catch(({ code }) => code)")).toBe(code);
    expect(await held()).toEqual(before);

    const { access_token: other } = await login(brief.url, email);
    expect((await logout(brief.url, other, { all_devices: true })).status).toBe(200);
    expect(await send(page)).toBe(401);
    expect(await held()).toBeNull();
  });
});

it("a mobile app logs out here, logs out everywhere, and is told what to do where that can't be", async () => {
  const { page, email } = await openPage(service.url);
  await page.evaluate(`globalThis.API = "${service.url}"`);
  await page.addScriptTag({ content: snippetsOf("Mobile apps", "logOut") });
  const logOut = (tokens: Tokens, everywhere: boolean) =>
    page.evaluate(`logOut(${JSON.stringify(tokens)}, { everywhere: ${everywhere} })`);

  const [phone, tablet, laptop] = [
    await login(service.url, email),
    await login(service.url, email),
    await login(service.url, email),
  ];
  expect(await logOut(phone, false)).toBe("signed out");
  expect(await logOut(phone, false)).toBe("signed out");
  expect(await logOut(phone, true)).toBe("sign in first");
  expect((await me(service.url, laptop.access_token)).status).toBe(200);
  expect(await logOut(tablet, true)).toBe("signed out");
  expectRefusal(await me(service.url, laptop.access_token), 401, "token_revoked");
  await page.route("**/logout", (route) => route.fulfill({ status: 503 }));
  expect(await logOut(laptop, false)).toBe("try again");
});
