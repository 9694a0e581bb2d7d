import { readFileSync } from "node:fs";
import { startBrowser } from "../helpers/browser";
import { PASSWORD, register } from "../helpers/client";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

const service = useService(() => ({ REDIS_URL: "memory://" }));
const browser = use(() => startBrowser());

it("what docs/frontends.md shows of the client signs in and out", async () => {
  const text = readFileSync("docs/frontends.md", "utf8");
  const snippets = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(snippets).toHaveLength(2);
  const { page } = await browser.newPage({ bypassCSP: true });
  await page.goto(`${service.url}/healthz`);
  const { user } = await register(service.url);
  await page.evaluate(`Object.assign(globalThis, {
    email: "${user.email}",
    password: "${PASSWORD}",
    said: [],
    sayGoodbye: (text) => said.push(text),
    complain: (text) => said.push(text),
  })`);
  const content = `${snippets.join("\n")}; Object.assign(globalThis, { response, client, logOut });`;
  await page.addScriptTag({ type: "module", content });
  await page.waitForFunction("globalThis.response");
  expect(await page.evaluate("response.json()")).toMatchObject({ email: user.email });

  await page.context().setOffline(true);
  await page.evaluate("logOut()");
  await page.context().setOffline(false);
  await page.evaluate("logOut()");

  expect(await page.evaluate("said")).toEqual([
    "You are still signed in. Please try again.",
    "You are signed out.",
  ]);
});
