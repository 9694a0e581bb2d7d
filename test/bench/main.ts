import "../faults/outside-jest";
import "../measure/expecting";
import { fork, spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { startRedis } from "../helpers/redis";
import { load } from "./load";
import { measureLogouts, type Logouts } from "./logouts";
import { plot } from "./plot";

/** A server under load: where it listens, and what its requests carry. */
type Target = { child: ChildProcess; port: number; path: string; headers: Record<string, string> };
type Figures = { cpuMicroseconds: number; p50: number; p99: number };

const [rounds = "40", requests = "1000", wanted = ""] = process.argv.slice(2);
const [ROUNDS, REQUESTS] = [Number(rounds), Number(requests)];
const CONNECTIONS = 32;
const WARM_UP = 5000;
const BASE = "bare Express 5";
const OWN_PATHS = {
  "the service, /api/users/me": "/api/users/me",
  "the service, /api/auth/verify": "/api/auth/verify",
};
const MODES = ["direct", "mirror"];

const ALL_NAMES = [
  ...["bare node:http", BASE, "fastify, @fastify/jwt with its cache, and redis"],
  ...["by hand: KeyObject, auto-pipelined EXISTS", "express-session and connect-redis"],
  ...["the tutorial: jsonwebtoken and a GET", "express-jwt and isRevoked"],
  ...["HS256", "RS256", "ES256"].map((algorithm) => `requireToken, ${algorithm}, direct`),
  ...MODES.filter((mode) => mode !== "direct").map((mode) => `requireToken, HS256, ${mode}`),
  ...Object.keys(OWN_PATHS).flatMap((name) => MODES.map((mode) => `${name}, ${mode}`)),
];
const NAMES = ALL_NAMES.filter((name) => name === BASE || new RegExp(wanted).test(name));

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

/** What Linux has counted for all threads of the process, in microseconds. */
function cpuOf({ pid = 0 }: ChildProcess): number {
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

async function start(name: string, env: NodeJS.ProcessEnv): Promise<Target> {
  const agent = new Agent();
  const target = await (name.startsWith("the service") ? startService : startPeer)(name, env, agent);
  await load(target, CONNECTIONS, WARM_UP);
  return target;
}

async function measure(target: Target): Promise<Figures> {
  const before = cpuOf(target.child);
  const times = await load(target, CONNECTIONS, REQUESTS);
  const cpuMicroseconds = (cpuOf(target.child) - before) / REQUESTS;
  return {
    cpuMicroseconds,
    p50: times[Math.floor(REQUESTS * 0.5)] ?? NaN,
    p99: times[Math.floor(REQUESTS * 0.99)] ?? NaN,
  };
}

const median = (values: number[]) =>
  values.sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;

async function main(): Promise<void> {
  const redis = await startRedis([], { mayTrack: true });
  // The peers don't know Curfew's user and its rights.
  const env = { REDIS_URL: redis.url.replace("//curfew:", "//admin:") };
  const all = new Map(NAMES.map((name) => [name, [] as Figures[]]));
  const logouts = new Map<string, Logouts>();
  const targets = new Map<string, Target>();
  try {
    for (const name of NAMES) {
      process.stderr.write(`starting ${name}\n`);
      targets.set(name, await start(name, env));
    }
    // In turns, so that whatever else the machine does meets all of them alike.
    for (let round = 0; round < ROUNDS; round += 1)
      for (const [name, target] of targets) all.get(name)?.push(await measure(target));
    for (const { child } of targets.values()) child.kill("SIGKILL");
    for (const mode of wanted === "" ? MODES : []) logouts.set(mode, await measureLogouts(redis, mode));
  } finally {
    for (const { child } of targets.values()) child.kill("SIGKILL");
    await redis.stop();
  }
  const of = (name: string, member: keyof Figures) =>
    median((all.get(name) ?? []).map((each) => each[member]));
  const rows = NAMES.map((name) => ({
    name,
    cpu: of(name, "cpuMicroseconds") / of(BASE, "cpuMicroseconds"),
    p50: of(name, "p50") / of(BASE, "p50"),
    p99: of(name, "p99") / of(BASE, "p99"),
  }));
  process.stdout.write(
    `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? "?"}, Node ${process.version}, `,
  );
  process.stdout.write(
    `${CONNECTIONS} connections, medians of ${ROUNDS} rounds of ${REQUESTS} requests.\n\n`,
  );
  process.stdout.write("| | CPU per request | latency, p50 | p99 |\n| --- | --- | --- | --- |\n");
  for (const { name, cpu, p50, p99 } of rows)
    process.stdout.write(`| ${name} | ${cpu.toFixed(2)} × | ${p50.toFixed(2)} × | ${p99.toFixed(2)} × |\n`);
  for (const [mode, { p50Ms, p99Ms, bytes }] of logouts) {
    process.stdout.write(
      `\n${mode}: another instance accepted a token for ${p50Ms.toFixed(1)} ms after its logout was answered (p50), ${p99Ms.toFixed(1)} ms (p99). `,
    );
    process.stdout.write(`A logout takes ${bytes.toFixed(0)} bytes of Redis's memory.\n`);
  }
  if (wanted === "") writeFileSync("docs/images/performance.svg", plot(rows));
}

void main().then(() => process.exit());
