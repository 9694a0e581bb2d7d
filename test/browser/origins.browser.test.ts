import { startBrowser } from "../helpers/browser";
import { openIn, openTab, statusOf, type Tab } from "../helpers/browser-client";
import { PASSWORD, register } from "../helpers/client";
import { usePages } from "../helpers/pages";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

/** The client by cookie, in pages of other origins than the service's. */
const app = usePages();
const others = usePages();
const service = useService(() => ({ REDIS_URL: "memory://", CORS_ORIGINS: friend() }));
const browser = use(() => startBrowser());

/** All on one site; the service's cookies go along with requests from there. */
const home = () => service.url.replace("127.0.0.1", "localhost");
const friend = () => `http://localhost:${app.port}`;
const neighbour = () => `http://localhost:${others.port}`;
const stranger = () => `http://127.0.0.1:${others.port}`;

const me = () => `${home()}/api/users/me`;
const told = (tab: Tab) => tab.run<object[]>("told");
const optionsOf = (origins: string[]) =>
  JSON.stringify({ url: `${home()}/api/auth`, transport: "cookie", origins });

async function signIn(address: string): Promise<Tab> {
  const tab = await openTab(browser, address, optionsOf([home()]));
  const { user } = await register(service.url);
  await tab.run(`client.login("${user.email}", "${PASSWORD}")`);
  expect(await statusOf(tab, me())).toBe(200);
  return tab;
}

describe("on an origin of the same site that CORS_ORIGINS names", () => {
  it("goes on after a reload by a refresh, and signs out all tabs", async () => {
    const tab = await signIn(friend());
    const later = await tab.another();
    const refreshed = later.page.waitForResponse(`${home()}/api/auth/refresh`);
    expect(await statusOf(later, me())).toBe(200);
    expect((await refreshed).status()).toBe(200);

    await tab.run("client.logout()");
    await later.page.waitForFunction("told.length > 0");

    expect(await told(tab)).toEqual([{ reason: "logout", here: true }]);
    expect(await told(later)).toEqual([{ reason: "logout", here: false }]);
    expect(await tab.page.context().cookies()).toEqual([]);
    expect(await statusOf(later, me())).toBe(401);
  });

  it("sends the cookies to the origins that it is told, and nowhere else", async () => {
    const tab = await signIn(friend());
    const untold = await openIn(await tab.page.context().newPage(), friend(), optionsOf([]));
    expect(await statusOf(untold, me())).toBe(401);

    others.seen.length = 0;
    await statusOf(tab, neighbour());
    // The browser would have sent them.
    await tab.run(`fetch("${neighbour()}", { credentials: "include", mode: "no-cors" })`);
    const [byClient, byBrowser] = others.seen.map(({ cookie }) => cookie);
    expect(byClient).toBeUndefined();
    expect(byBrowser).toContain("curfew_access");
  });
});

describe.each([
  ["another site", stranger],
  ["an origin of the same site that nobody named", neighbour],
])("a hostile page on %s, with the client", (_title, address) => {
  it("can't log its visitor in or out, nor refresh, nor learn who it is, nor tell the visitor's tabs anything", async () => {
    const victim = await signIn(home());
    const { email } = await victim.run<{ email: string }>("client.user");
    const hostile = await openIn(
      await victim.page.context().newPage(),
      address(),
      optionsOf([home(), address()]),
    );
    const attempt = (call: string) =>
      hostile.run<string>(`${call}.then(() => "done", ({ code, name }) => code ?? name)`);
    const { user } = await register(service.url);

    expect(await attempt("client.logout()")).toBe("offline");
    expect(await attempt("client.logout({ allDevices: true })")).toBe("offline");
    expect(await attempt(`client.login("${user.email}", "${PASSWORD}")`)).toBe("offline");
    expect(await statusOf(hostile, me())).toBe("TypeError");
    expect(await statusOf(hostile, `${home()}/api/auth/sessions`, `{ method: "DELETE" }`)).toBe("TypeError");
    const lie = `{ ended: { tag: "" }, reason: "logout", all: true }`;
    await hostile.run(`new BroadcastChannel("curfew-cookie:${home()}/api/auth").postMessage(${lie})`);

    expect(await hostile.run("client.user ?? null")).toBeNull();
    expect(await hostile.run("document.cookie")).toBe("");
    expect(await victim.run(`client.fetch("${me()}").then((response) => response.json())`)).toMatchObject({
      email,
    });
    expect(await told(victim)).toEqual([]);
  });
});
