import "../faults/outside-jest";
import "../measure/expecting";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { startRedis, type TestRedis } from "../helpers/redis";
import { measureGrowth } from "./growth";
import { load } from "./load";
import { measureListeners, measureLogouts, type Logouts } from "./logouts";
import { plot } from "./plot";
import { cpuOf, median, OWN_PATHS, startTarget, type Target } from "./targets";

type Figures = { cpuMicroseconds: number; p50: number; p99: number };

const [rounds = "40", requests = "1000", wanted = ""] = process.argv.slice(2);
const [ROUNDS, REQUESTS] = [Number(rounds), Number(requests)];
const CONNECTIONS = 32;
const WARM_UP = 5000;
const BASE = "bare Express 5";
const MODES = ["direct", "mirror"];

const ALL_NAMES = [
  ...["bare node:http", BASE, "fastify, @fastify/jwt with its cache, and redis"],
  ...["by hand: KeyObject, auto-pipelined EXISTS", "express-session and connect-redis"],
  ...["better-auth and redis", "the tutorial: jsonwebtoken and a GET", "express-jwt and isRevoked"],
  ...["HS256", "RS256", "ES256"].map((algorithm) => `requireToken, ${algorithm}, direct`),
  ...MODES.filter((mode) => mode !== "direct").map((mode) => `requireToken, HS256, ${mode}`),
  ...Object.keys(OWN_PATHS).flatMap((name) => MODES.map((mode) => `${name}, ${mode}`)),
];
const NAMES = ALL_NAMES.filter((name) => name === BASE || new RegExp(wanted).test(name));

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

/** What doesn't compare servers: how it grows, and what a logout takes. */
async function measureRest(redis: TestRedis, env: NodeJS.ProcessEnv) {
  const logouts = new Map<string, Logouts>();
  for (const mode of MODES) logouts.set(mode, await measureLogouts(redis, mode));
  return { logouts, listeners: await measureListeners(redis), growths: await measureGrowth(redis, env) };
}

async function main(): Promise<void> {
  const redis = await startRedis(["--enable-debug-command yes"], { mayTrack: true });
  // The peers don't know Curfew's user and its rights.
  const env = { REDIS_URL: redis.url.replace("//curfew:", "//admin:") };
  const all = new Map(NAMES.map((name) => [name, [] as Figures[]]));
  const targets = new Map<string, Target>();
  let rest: Awaited<ReturnType<typeof measureRest>> | undefined;
  try {
    for (const name of NAMES) {
      process.stderr.write(`starting ${name}\n`);
      const target = await startTarget(name, env);
      targets.set(name, target);
      await load(target, CONNECTIONS, WARM_UP);
    }
    // In turns, so that whatever else the machine does meets all of them alike.
    for (let round = 0; round < ROUNDS; round += 1)
      for (const [name, target] of targets) all.get(name)?.push(await measure(target));
    for (const { child } of targets.values()) child.kill("SIGKILL");
    if (wanted === "") rest = await measureRest(redis, env);
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
  print(`${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? "?"}, Node ${process.version}, `);
  print(`${CONNECTIONS} connections, medians of ${ROUNDS} rounds of ${REQUESTS} requests.\n\n`);
  printTable(
    ["", "CPU per request", "latency, p50", "p99"],
    rows.map(({ name, cpu, p50, p99 }) => [name, cpu, p50, p99]),
  );
  if (!rest) return;
  printRest(rest);
  writeFileSync("docs/images/performance.svg", plot(rows));
}

function printRest({ growths, listeners, logouts }: Awaited<ReturnType<typeof measureRest>>): void {
  print("\n");
  printTable(
    ["", "CPU of the service per check", "of Redis"],
    growths.map(({ name, cpu, redisCpu }) => [name, cpu, redisCpu]),
  );
  const checksPerSecond = growths[0]?.checksPerSecond ?? NaN;
  print(`\nA Redis with a core to itself would answer ${checksPerSecond.toFixed(0)} a second.\n\n`);
  printTable(
    ["mirrors that listen", "CPU of Redis per logout"],
    listeners.map(({ name, redisCpu }) => [name, redisCpu]),
  );
  for (const [mode, { p50Ms, p99Ms, bytes }] of logouts) {
    const p50 = `${p50Ms.toFixed(1)} ms after its logout was answered (p50)`;
    print(`\n${mode}: another instance accepted a token for ${p50}, ${p99Ms.toFixed(1)} ms (p99). `);
    print(`A logout takes ${bytes.toFixed(0)} bytes of Redis's memory.\n`);
  }
}

const print = (text: string) => void process.stdout.write(text);

function printTable(head: readonly string[], rows: readonly (readonly [string, ...number[]])[]): void {
  print(`| ${head.join(" | ")} |\n|${" --- |".repeat(head.length)}\n`);
  for (const [name, ...ratios] of rows)
    print(`| ${[name, ...ratios.map((ratio) => `${ratio.toFixed(2)} ×`)].join(" | ")} |\n`);
}

void main().then(() => process.exit());
