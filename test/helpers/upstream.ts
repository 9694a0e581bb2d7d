import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { call, type Answer } from "./client";
import { openConnection } from "./connection";
import { find, type TestServer } from "./gateway";
import { untilTestsEnd } from "./processes";

/** What the application says of a request that it got. */
export type Seen = {
  count: number;
  method: string;
  path: string;
  headers: [name: string, value: string][];
  sha256: string;
  connection: number;
};

/** What a gateway tells it of who is calling. */
export const IDENTITY = ["Subject", "Token-Id", "Session", "Issuer", "Roles", "Expires"].map(
  (name) => `X-Auth-${name}`,
);

/** The application behind a gateway, in Python. */
export async function startUpstream(): Promise<TestServer> {
  const child = untilTestsEnd(
    spawn(find("python3", "python3"), [join(__dirname, "upstream.py")], {
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  const exited = once(child, "exit");
  const failed = exited.then(() => {
    throw new Error("the application in Python ended at once");
  });
  const [port] = (await Promise.race([failed, once(createInterface(child.stdout), "line")])) as [string];
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** What the application got of a request that was let through. */
export async function expectSeen(answering: Promise<Answer>): Promise<Seen> {
  const { status, body } = await answering;
  expect(status).toBe(200);
  return body as Seen;
}

export const valuesOf = (seen: Seen, name: string) =>
  seen.headers.filter(([each]) => each === name.toLowerCase()).map(([, value]) => value);

/** Whatever is done meanwhile, the application gets nothing of it. */
export async function expectUnseen<T>(upstream: TestServer, action: () => Promise<T>): Promise<T> {
  const count = async () => ((await call(upstream.url, "GET", "/")).body as Seen).count;
  const before = await count();
  const result = await action();
  expect(await count()).toBe(before + 1);
  return result;
}

/** Sends a head as it stands, for what no HTTP client would send, and returns all that comes back. */
export async function sendRaw(url: string, ...lines: string[]): Promise<string> {
  const connection = await openConnection(url);
  connection.write(`${[...lines, `Host: ${new URL(url).host}`].join("\r\n")}\r\n\r\n`);
  return connection.untilEnd();
}

export const bodyOf = (received: string) =>
  JSON.parse(received.slice(received.indexOf("\r\n\r\n"))) as unknown;
