import "../faults/outside-jest";
import "../measure/expecting";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { startRedis } from "../helpers/redis";
import { measureGrowth, type Growth } from "./growth";
import { load } from "./load";
import { measureLogouts, type Logouts } from "./logouts";
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

async function main(): Promise<void> {
  const redis = await startRedis(["--enable-debug-command yes"], { mayTrack: true });
  // The peers don't know Curfew's user and its rights.
  const env = { REDIS_URL: redis.url.replace("//curfew:", "//admin:") };
  const all = new Map(NAMES.map((name) => [name, [] as Figures[]]));
  const logouts = new Map<string, Logouts>();
  let growths: Growth[] = [];
  const targets = new Map<string, Target>();
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
    for (const mode of wanted === "" ? MODES : []) logouts.set(mode, await measureLogouts(redis, mode));
    if (wanted === "") growths = await measureGrowth(redis, env);
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
  const [first] = growths;
  if (first) {
    process.stdout.write("\n| | CPU of the service per check | of Redis |\n| --- | --- | --- |\n");
    for (const { name, cpu, redisCpu } of growths)
      process.stdout.write(`| ${name} | ${cpu.toFixed(2)} × | ${redisCpu.toFixed(2)} × |\n`);
    process.stdout.write(
      `\nA Redis with a core to itself would answer ${first.checksPerSecond.toFixed(0)} a second.\n`,
    );
  }
  for (const [mode, { p50Ms, p99Ms, bytes }] of logouts) {
    process.stdout.write(
      `\n${mode}: another instance accepted a token for ${p50Ms.toFixed(1)} ms after its logout was answered (p50), ${p99Ms.toFixed(1)} ms (p99). `,
    );
    process.stdout.write(`A logout takes ${bytes.toFixed(0)} bytes of Redis's memory.\n`);
  }
  if (wanted === "") writeFileSync("docs/images/performance.svg", plot(rows));
}

void main().then(() => process.exit());
