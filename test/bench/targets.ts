import { fork, spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import type { Question } from "./load";

/** A server under load, in a process of its own, and what its requests carry. */
export type Target = Question & { child: ChildProcess };

export const OWN_PATHS = {
  "the service, /api/users/me": "/api/users/me",
  "the service, /api/auth/verify": "/api/auth/verify",
};

const pem = (pair: { privateKey: { export(options: object): string | Buffer } }) =>
  pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const SECRETS = {
  SECRET: randomBytes(32).toString("base64"),
  PRIVATE_KEYS: JSON.stringify({
    RS256: pem(generateKeyPairSync("rsa", { modulusLength: 2048 })),
    ES256: pem(generateKeyPairSync("ec", { namedCurve: "P-256" })),
  }),
};

type Reply = { status: number; body: string; cookie: string };

function ask(
  agent: Agent,
  { port }: { port: number },
  path: string,
  options: object,
  body?: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ agent, port, host: "127.0.0.1", path, ...options }, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.on("end", () => {
        const [cookie = ""] = answer.headers["set-cookie"] ?? [];
        resolve({ status: answer.statusCode ?? 0, body: text, cookie });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** What Linux has counted for all threads of a process, in microseconds. */
export function cpuOf({ pid = 0 }: { pid?: number | undefined }): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1000;
}

async function registered(
  agent: Agent,
  target: { port: number },
  path: string,
): Promise<Record<string, string>> {
  const headers = { "Content-Type": "application/json" };
  const account = JSON.stringify({
    email: `${randomBytes(8).toString("hex")}@example.com`,
    password: "an unlikely passphrase",
  });
  for (;;) {
    const { status, body } = await ask(agent, target, path, { method: "POST", headers }, account);
    if (status === 201)
      return { authorization: `Bearer ${(JSON.parse(body) as { access_token: string }).access_token}` };
    if (status !== 503) throw new Error(body);
  }
}

async function startService(name: string, env: NodeJS.ProcessEnv, agent: Agent): Promise<Target> {
  const [route, mode = ""] = [name.slice(0, name.lastIndexOf(",")), name.split(", ").at(-1)];
  const child = spawn("taskset", ["-c", "0", process.execPath, "dist/main.js"], {
    env: {
      ...process.env,
      ...env,
      JWT_SECRET: SECRETS.SECRET,
      DENYLIST_MODE: mode,
      PORT: "0",
      RATE_LIMIT: "off",
    },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise<number>((resolve) => {
    lines.on("line", (line) => {
      const { msg, port: at } = JSON.parse(line) as { msg: string; port: number };
      if (msg === "listening") resolve(at);
    });
  });
  const headers = await registered(agent, { port }, "/api/auth/register");
  return { child, port, path: OWN_PATHS[route as keyof typeof OWN_PATHS], headers };
}

async function startPeer(name: string, env: NodeJS.ProcessEnv, agent: Agent): Promise<Target> {
  const child = fork("test/bench/servers.ts", [name], {
    execPath: "taskset",
    execArgv: ["-c", "0", process.execPath, "-r", "ts-node/register/transpile-only"],
    env: { ...process.env, ...env, ...SECRETS },
  });
  const [{ port, headers }] = (await once(child, "message")) as [
    { port: number; headers: Record<string, string> },
  ];
  const { "x-register": register, "x-log-in": logIn, ...rest } = headers;
  if (register) return { child, port, path: "/x", headers: await registered(agent, { port }, register) };
  if (!logIn) return { child, port, path: "/x", headers: rest };
  const { cookie } = await ask(agent, { port }, logIn, {});
  return { child, port, path: "/x", headers: { cookie: cookie.split(";")[0] ?? "" } };
}

/** Starts a server by its name in the tables, on the first core. */
export const startTarget = (name: string, env: NodeJS.ProcessEnv): Promise<Target> =>
  (name.startsWith("the service") ? startService : startPeer)(name, env, new Agent());

export const median = (values: readonly number[]) =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;
