import type { TestRedis } from "../helpers/redis";
import { load } from "./load";
import { cpuOf, median, startTarget, type Target } from "./targets";

const NAME = "the service, /api/auth/verify, direct";
const ROUNDS = 15;
const REQUESTS = 2000;
const WARM_UP = 8000;

/** What a check costs the service and Redis, relative to the first row; and what one Redis could answer at that cost. */
export type Growth = { name: string; cpu: number; redisCpu: number; checksPerSecond: number };

type Row = { name: string; connections: number; instances: number; entries?: number };

const CASES: Row[] = [
  { name: "32 connections, 1 instance, hardly an entry", connections: 32, instances: 1 },
  { name: "1 connection", connections: 1, instances: 1 },
  { name: "8 connections", connections: 8, instances: 1 },
  { name: "128 connections", connections: 128, instances: 1 },
  { name: "2 instances", connections: 16, instances: 2 },
  { name: "4 instances", connections: 8, instances: 4 },
  { name: "10,000 entries", connections: 32, instances: 1, entries: 10_000 },
  { name: "1,000,000 entries", connections: 32, instances: 1, entries: 1_000_000 },
];

/** How the cost of a check grows: with connections, with instances on one Redis, with entries that are alive. */
export async function measureGrowth(redis: TestRedis, env: NodeJS.ProcessEnv): Promise<Growth[]> {
  const targets = await Promise.all([1, 2, 3, 4].map(() => startTarget(NAME, env)));
  try {
    for (const target of targets) await load(target, 32, WARM_UP);
    const costs = [];
    for (const row of CASES) {
      if (row.entries !== undefined)
        await redis.admin.call("DEBUG", "POPULATE", row.entries, "curfew:denylist:jti", 200);
      costs.push({ name: row.name, ...(await costOf(redis, targets.slice(0, row.instances), row)) });
    }
    const [first] = costs;
    return costs.map(({ name, cpu, redisCpu }) => ({
      name,
      cpu: cpu / (first?.cpu ?? NaN),
      redisCpu: redisCpu / (first?.redisCpu ?? NaN),
      checksPerSecond: 1_000_000 / redisCpu,
    }));
  } finally {
    for (const { child } of targets) child.kill("SIGKILL");
  }
}

async function costOf(redis: TestRedis, targets: Target[], { connections }: Row) {
  const sum = () => targets.reduce((all, { child }) => all + cpuOf(child), 0);
  const rounds: { cpu: number; redisCpu: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = [sum(), cpuOf(redis)] as const;
    await Promise.all(targets.map((target) => load(target, connections, REQUESTS / targets.length)));
    rounds.push({ cpu: (sum() - before[0]) / REQUESTS, redisCpu: (cpuOf(redis) - before[1]) / REQUESTS });
  }
  return {
    cpu: median(rounds.map(({ cpu }) => cpu)),
    redisCpu: median(rounds.map(({ redisCpu }) => redisCpu)),
  };
}
