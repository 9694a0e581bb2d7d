import { call, logout, register } from "../helpers/client";
import type { TestRedis } from "../helpers/redis";
import { startService, type TestService } from "../helpers/service";
import { cpuOf, median } from "./targets";

const ROUNDS = 200;

/** How long after a logout's answer another instance still accepted the token, and what logouts cost Redis. */
export type Logouts = { p50Ms: number; p99Ms: number; bytes: number };

export async function measureLogouts(redis: TestRedis, mode: string): Promise<Logouts> {
  const env = { REDIS_URL: redis.url, DENYLIST_MODE: mode };
  const [here, there] = [await startService(env), await startService(env)];
  try {
    const tokens = [];
    for (let round = 0; round < ROUNDS; round += 1) tokens.push((await register(here.url)).access_token);
    const isAccepted = async (token: string) =>
      (await call(there.url, "GET", "/api/auth/verify", { token })).status === 204;
    const before = await usedMemory(redis);
    const times: number[] = [];
    for (const token of tokens) {
      // Its signature is remembered, so that nothing but the denylist is timed.
      if (!(await isAccepted(token))) throw new Error("A good token was refused.");
      await logout(here.url, token);
      const startedAt = performance.now();
      let lastAcceptedAt = startedAt;
      while (await isAccepted(token)) lastAcceptedAt = performance.now();
      times.push(lastAcceptedAt - startedAt);
    }
    const bytes = ((await usedMemory(redis)) - before) / ROUNDS;
    times.sort((one, other) => one - other);
    return { p50Ms: times[ROUNDS * 0.5] ?? NaN, p99Ms: times[ROUNDS * 0.99] ?? NaN, bytes };
  } finally {
    await Promise.all([here.stop(), there.stop()]);
  }
}

const LISTENERS = [0, 1, 2, 4, 8];
const LISTENER_ROUNDS = 5;

/** What a logout costs Redis while so many mirrors listen, relative to none: their heartbeats are in it. */
export async function measureListeners(redis: TestRedis): Promise<{ name: string; redisCpu: number }[]> {
  const here = await startService({ REDIS_URL: redis.url, RATE_LIMIT: "off" });
  const mirrors: TestService[] = [];
  const costs: number[] = [];
  try {
    for (const count of LISTENERS) {
      while (mirrors.length < count)
        mirrors.push(await startService({ REDIS_URL: redis.url, DENYLIST_MODE: "mirror" }));
      const rounds: number[] = [];
      for (let round = 0; round < LISTENER_ROUNDS; round += 1) rounds.push(await costOfLogouts(here, redis));
      costs.push(median(rounds));
    }
    return LISTENERS.map((count, at) => ({
      name: String(count),
      redisCpu: (costs[at] ?? NaN) / (costs[0] ?? NaN),
    }));
  } finally {
    await Promise.all([here, ...mirrors].map((each) => each.stop()));
  }
}

const LOGOUTS = 50;

async function costOfLogouts({ url }: TestService, redis: TestRedis): Promise<number> {
  const tokens: string[] = [];
  while (tokens.length < LOGOUTS) tokens.push((await register(url)).access_token);
  const before = cpuOf(redis);
  for (const token of tokens) await logout(url, token);
  return cpuOf(redis) - before;
}

/** The entries and the events, which is what a logout adds. */
async function usedMemory({ admin }: TestRedis): Promise<number> {
  const keys = [...(await admin.keys("curfew:denylist:*")), "curfew:events"];
  const sizes = await Promise.all(keys.map((key) => admin.memory("USAGE", key)));
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}
