import type { Page } from "playwright-core";
import { startBrowser } from "../helpers/browser";
import { PASSWORD } from "../helpers/client";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));
const browser = use(() => startBrowser());

async function openClient(page: Page, options: string) {
  await page.goto(`${service.url}/docs`);
  await page.evaluate(`(async () => {
    const { createClient } = await import("/curfew.js");
    globalThis.client = createClient(${options});
    globalThis.told = [];
    client.onSignedOut((event) => told.push(event));
  })()`);
}

it.each(["bearer", "cookie"])(
  "by %s, a logout in one tab is told in both, and leaves nothing",
  async (transport) => {
    const { page, complaints } = await browser.newPage();
    await openClient(page, `{ transport: "${transport}", storage: localStorage }`);
    const email = `${transport}@example.com`;
    await page.evaluate(`client.register("${email}", "${PASSWORD}")`);
    expect(await page.evaluate("client.user")).toMatchObject({ email });
    expect(await page.evaluate("client.fetch('/api/users/me').then((r) => r.status)")).toBe(200);
    const other = await page.context().newPage();
    await openClient(other, `{ transport: "${transport}", storage: localStorage }`);
    expect(await other.evaluate("client.user")).toMatchObject({ email });
    await page.evaluate("client.logout()");
    expect(await page.evaluate("client.user ?? null")).toBeNull();
    expect(await page.evaluate("[told, localStorage.length]")).toEqual([
      [{ reason: "logout", here: true }],
      0,
    ]);
    await other.waitForFunction("told.length");
    expect(await other.evaluate("[told, localStorage.length]")).toEqual([
      [{ reason: "logout", here: false }],
      0,
    ]);
    expect(complaints).toEqual([]);
  },
);
