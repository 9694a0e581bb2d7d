import type { Page } from "playwright-core";
import type { TestBrowser } from "./browser";

export type Transport = "bearer" | "cookie";

/** A tab with a client in it, as `client`; `told` has what its listener was told. */
export type Tab = {
  page: Page;
  /** Runs an expression in the page. */
  run: <T>(expression: string) => Promise<T>;
  /** Another tab of the same window. */
  another(): Promise<Tab>;
};

/**
 * Opens a page of the service's origin, which stands for an app's own and so is under no policy of ours, and makes a
 * client there. `options` is the text of its options.
 */
export async function openTab(browser: TestBrowser, url: string, options: string): Promise<Tab> {
  const { page } = await browser.newPage({ bypassCSP: true });
  return openIn(page, url, options);
}

/** The same in a window that is there. */
export async function openIn(page: Page, url: string, options: string): Promise<Tab> {
  await page.goto(`${url}/healthz`);
  await page.evaluate(`(async () => {
    const { createClient } = await import("/curfew.js");
    globalThis.client = createClient(${options});
    globalThis.told = [];
    client.onSignedOut((event) => told.push(event));
  })()`);
  return {
    page,
    run: (expression) => page.evaluate(expression),
    another: async () => openIn(await page.context().newPage(), url, options),
  };
}

/** What the page gets from fetching an address: the status, or the name of the error. */
export const statusOf = (tab: Tab, address: string, init = "{}") =>
  tab.run<number | string>(
    `client.fetch("${address}", ${init}).then(({ status }) => status, ({ name }) => name)`,
  );
