import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { untilTestsEnd } from "./processes";
import { freePort } from "./redis";
import { use } from "./use";

/** An app of docs/examples/ that `scripts/test-examples` has built. */
type Example = { url: string; stop(): Promise<void> };

type Manifest = { scripts: { start: string } };

async function startExample(name: string, curfewUrl: string): Promise<Example> {
  const dir = join(process.env["EXAMPLES"] ?? "", "docs/examples", name);
  const { scripts } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as Manifest;
  // Not by npm, which would stand between us and the process that has to be ended.
  const [program = "", ...args] = scripts.start.split(" ");
  const port = await freePort();
  const child = untilTestsEnd(
    spawn(join(dir, "node_modules/.bin", program), [...args, "--port", String(port)], {
      cwd: dir,
      env: { PATH: process.env["PATH"], CURFEW_URL: curfewUrl, NEXT_TELEMETRY_DISABLED: "1" },
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  const exited = once(child, "exit");
  // By the name under which a developer opens it.
  const url = `http://localhost:${port}`;
  await untilAnswered(url, () => child.exitCode === null);
  return {
    url,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function untilAnswered(url: string, isRunning: () => boolean): Promise<void> {
  while (!(await fetch(url).catch(() => undefined))) {
    if (!isRunning()) throw new Error("the example ended before it answered");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** An example for all tests of a file, beside the service of which it is told the address. */
export const useExample = (name: string, curfewUrl: () => string): Example =>
  use(() => startExample(name, curfewUrl()));
