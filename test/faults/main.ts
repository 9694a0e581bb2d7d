import "./outside-jest";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../helpers/client";
import { FAULTS } from "../helpers/faults";
import { startRedis } from "../helpers/redis";
import type { Fault } from "./fault";
import {
  askEverything,
  check,
  isHealthy,
  openSessions,
  REDIS_TIMEOUT_MS,
  startStage,
  timed,
  type Answers,
  type Stage,
  type Timed,
} from "./stage";

/** `scripts/measure-faults`: what is answered in each fault, how late, and how long it takes to be well again. */
const RUNS = 3;
/** So long at least a fault lasts, with a check now and then. */
const HOLD_MS = 1000;
const BETWEEN_CHECKS_MS = 50;

/** With `mirror`, checks may be answered as before for as long as the mirror may be stale. */
const [, , MODE = "direct"] = process.argv;
const isMirrored = MODE === "mirror";

const COLUMNS = ["check", "logout", "login", "readyz"] as const;

type Run = { answers: Answers; checksMeanwhile: Timed[]; healthyAfterMs: number | undefined };

/** Each on a service and a Redis of its own. */
async function measure(fault: Fault): Promise<Run[]> {
  const stage = await startStage({ DENYLIST_MODE: MODE });
  const runs: Run[] = [];
  try {
    while (runs.length < RUNS && runs.every(({ healthyAfterMs }) => healthyAfterMs !== undefined)) {
      runs.push(await measureOnce(stage, fault));
    }
  } finally {
    await stage.stop();
  }
  return runs;
}

async function measureOnce(stage: Stage, fault: Fault): Promise<Run> {
  const sessions = await openSessions(stage);
  const checkLive = () => check(stage.service.url, sessions.live);
  const checksMeanwhile: Timed[] = [];
  let answers: Answers;
  try {
    await fault.breakIt(stage);
    const brokenAt = performance.now();
    const isSeenLate = isMirrored && !fault.expect.check.includes(204);
    if (fault.isFoundOut || isSeenLate) await isTrue(async () => (await checkLive()).status === 503);
    answers = await askEverything(stage, sessions);
    while (fault.mendIt && performance.now() - brokenAt < HOLD_MS) {
      checksMeanwhile.push(await timed(checkLive()));
      await sleep(BETWEEN_CHECKS_MS);
    }
  } finally {
    await fault.mendIt?.(stage);
  }
  const mendedAt = performance.now();
  const isWell = await isTrue(() => isHealthy(stage, sessions));
  return { answers, checksMeanwhile, healthyAfterMs: isWell ? performance.now() - mendedAt : undefined };
}

const isTrue = (condition: () => Promise<boolean>) =>
  eventually(condition).then(
    () => true,
    () => false,
  );

function problemsOf({ expect: promised }: Fault, runs: Run[]): string[] {
  const wrong = runs.flatMap(({ answers, checksMeanwhile }) => [
    ...(Object.keys(promised) as (keyof typeof promised)[])
      .filter((what) => !promised[what].includes(answers[what].status))
      .map((what) => `${what}: ${answers[what].status} instead of ${promised[what].join(" or ")}`),
    ...checksMeanwhile
      .filter(({ status }) => !promised.check.includes(status))
      .map(({ status }) => `a later check: ${status} instead of ${promised.check.join(" or ")}`),
    ...(answers.healthz.status === 200 ? [] : [`healthz: ${answers.healthz.status}`]),
  ]);
  const isWell = runs.every(({ healthyAfterMs }) => healthyAfterMs !== undefined);
  return [...new Set([...wrong, ...(isWell ? [] : ["not healthy again within ten seconds"])])];
}

function rowOf({ name, what }: Fault, runs: Run[]): string {
  const statuses = COLUMNS.map((column) =>
    [...new Set(runs.map(({ answers }) => answers[column].status))].sort().join(" or "),
  );
  const slowestMs = Math.max(
    ...runs.flatMap(({ answers, checksMeanwhile }) =>
      [...Object.values(answers), ...checksMeanwhile].map(({ ms }) => ms),
    ),
  );
  const recoveries = runs.map(({ healthyAfterMs }) => healthyAfterMs ?? Infinity).sort((a, b) => a - b);
  const recovery = [recoveries[Math.floor(recoveries.length / 2)] ?? Infinity, recoveries.at(-1) ?? Infinity];
  const cells = [
    `${name}: ${what}`,
    ...statuses,
    Math.round(slowestMs),
    recovery.map((ms) => (Number.isFinite(ms) ? Math.round(ms) : "never")).join(" · "),
  ];
  return `| ${cells.join(" | ")} |`;
}

const say = (line: string) => process.stdout.write(`${line}\n`);

async function redisVersion(): Promise<string> {
  const redis = await startRedis();
  const info = await redis.admin.info("server");
  await redis.stop();
  return /redis_version:(\S+)/.exec(info)?.[1] ?? "unknown";
}

async function main(): Promise<void> {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`;
  say(
    `${machine}, Node ${process.version}, Redis ${await redisVersion()}, REDIS_TIMEOUT_MS=${REDIS_TIMEOUT_MS}, DENYLIST_MODE=${MODE}, ${RUNS} runs of each.\n`,
  );
  say(
    "| Fault | A check answers | A logout answers | A login answers | /readyz | Slowest answer (ms) | Healthy again after the fault ends (ms, median · max) |",
  );
  say("| --- | --- | --- | --- | --- | --- | --- |");
  const problems: string[] = [];
  for (const fault of FAULTS) {
    const runs = await measure(fault);
    say(rowOf(fault, runs));
    problems.push(...problemsOf(fault, runs).map((problem) => `${fault.name}: ${problem}`));
  }
  if (problems.length === 0) return;
  process.stderr.write(`\nNot as promised:\n${problems.join("\n")}\n`);
  process.exitCode = 1;
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
