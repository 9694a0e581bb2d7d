import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { untilTestsEnd } from "./processes";
import { use } from "./use";

/** A service process, as `node dist/main.js` starts it. */
export type TestService = {
  url: string;
  process: ChildProcess;
  /** The lines it has logged so far. */
  log: string[];
  stop(): Promise<void>;
};

export const SECRET = "kX9v2QpLr7TzWm4NcYh8sBd1GfJ6uAe3RoVi5xUwMqE";

export async function startService(env: NodeJS.ProcessEnv, cwd?: string): Promise<TestService> {
  const child = untilTestsEnd(
    spawn(process.execPath, [`${process.cwd()}/dist/main.js`], {
      env: {
        PATH: process.env["PATH"],
        PORT: "0",
        JWT_SECRET: SECRET,
        RATE_LIMIT: "off",
        REDIS_TIMEOUT_MS: "1000",
        // At once; but a redis-server of its own must have ended before its folder goes.
        SHUTDOWN_GRACE_MS: env["REDIS_URL"] === undefined ? "1000" : "0",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
      cwd,
    }),
  );
  const exited = once(child, "exit");
  const log: string[] = [];
  createInterface(child.stderr).on("line", (line) => log.push(line));
  const port = await new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      log.push(line);
      const { msg, port } = JSON.parse(line) as { msg: string; port: number };
      if (msg === "listening") resolve(port);
    });
    child.once("exit", (code) => {
      reject(new Error(`the service ended with ${String(code)}:\n${log.join("\n")}`));
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    process: child,
    log,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** A service for all tests of a file or a describe. Its environment is asked for once what was used before it is there. */
export const useService = (env: () => NodeJS.ProcessEnv): TestService => use(() => startService(env()));
