import { execFileSync } from "node:child_process";
import { chromium, type BrowserContextOptions, type Page } from "playwright-core";

/** Somebody's window: cookies and storage of its own. */
export type TestPage = {
  page: Page;
  /** What the browser complains of, in its words: uncaught errors, breaches of the policy, failed requests. */
  complaints: string[];
  /** The hosts that were asked for anything. */
  hosts: Set<string>;
};

export type TestBrowser = {
  newPage(options?: BrowserContextOptions): Promise<TestPage>;
  stop(): Promise<void>;
};

/** A browser that asks for nothing by itself. */
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function startBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: findChromium(), args: QUIET, headless: true });
  return {
    async newPage(options) {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      const complaints: string[] = [];
      const hosts = new Set<string>();
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      context.on("request", (request) => hosts.add(new URL(request.url()).host));
      return { page, complaints, hosts };
    },
    stop: () => browser.close(),
  };
}

const findChromium = () =>
  execFileSync("sh", ["-c", "command -v chromium || { echo Install chromium. >&2; exit 1; }"], {
    encoding: "utf8",
  }).trim();
