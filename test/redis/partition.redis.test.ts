import { setTimeout as sleep } from "node:timers/promises";
import {
  eventually,
  expectRefusal,
  logout,
  me,
  refresh,
  register,
  untilReady,
  type Tokens,
} from "../helpers/client";
import { startPartitionable } from "../helpers/partition";
import { untilAgreed, type TestRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

/** Less than the sentinels wait before they take a primary for dead. */
const TOLERANCE_MS = "1000";

type Check = { startedAt: number; status: number };

const redis = use(() => startPartitionable(), 90_000);
const env = () => ({
  REDIS_MODE: "sentinel",
  REDIS_SENTINEL_NAME: redis.name,
  REDIS_TIMEOUT_MS: "250",
  REVOKE_MIN_REPLICAS: "1",
});
/** On the side of the sentinels and replicas, and on the side of the primary: with the tolerance, and without. */
const far = useService(() => ({ ...env(), REDIS_URL: redis.url }));
const tolerant = useService(() => ({
  ...env(),
  REDIS_URL: redis.nearUrl,
  PARTITION_TOLERANCE_MS: TOLERANCE_MS,
}));
const trusting = useService(() => ({ ...env(), REDIS_URL: redis.nearUrl }));
let leaves: Tokens;
let stays: Tokens;
let stranded: Tokens;
let [promotedAt, healedAt] = [0, 0];
let checks: Check[] = [];
/** What a logout is answered on the side of the old primary, once there is another. */
let loggedOutThere: number[] = [];
beforeAll(async () => {
  [leaves, stays, stranded] = [await register(far.url), await register(far.url), await register(far.url)];
  for (const { url } of [tolerant, trusting]) {
    await eventually(async () => (await me(url, leaves.access_token)).status === 200);
  }
  await partition();
}, 90_000);

async function partition(): Promise<void> {
  const primary = await redis.cut();
  const watching = watch(tolerant.url, () => healedAt > 0);
  await untilAgreed(async () => (await Promise.all(redis.nodes.map(isPrimary))).filter(Boolean).length > 1);
  promotedAt = performance.now();
  await untilAgreed(
    async () =>
      (await redis.primary()) !== primary && (await logout(far.url, leaves.access_token)).status === 200,
  );
  const there = [tolerant, trusting].map((service) => logout(service.url, stranded.access_token));
  loggedOutThere = (await Promise.all(there)).map(({ status }) => status);
  // Long enough for whoever would trust the old primary to say so.
  await sleep(2 * Number(TOLERANCE_MS));
  healedAt = performance.now();
  checks = await watching;
  redis.heal();
}

/** Asks again and again for the token that is logged out on the other side. */
async function watch(url: string, isOver: () => boolean): Promise<Check[]> {
  const seen: Check[] = [];
  while (!isOver()) {
    const startedAt = performance.now();
    const { status } = await me(url, leaves.access_token);
    seen.push({ startedAt, status });
    await sleep(5);
  }
  return seen;
}

const isPrimary = async ({ admin }: TestRedis) => (await admin.info("replication")).includes("role:master");

describe("an instance that is cut off with the primary, and may be so for less time than it takes to replace it", () => {
  it("lets nobody in from before the other side has a primary of its own", () => {
    const later = checks.filter(({ startedAt }) => startedAt >= promotedAt);
    expect(later.length).toBeGreaterThan(2);
    expect(new Set(later.map(({ status }) => status))).toEqual(new Set([503]));
  });

  it("refuses who was logged out on the other side, once it is back, and nobody else", async () => {
    const { url } = tolerant;
    await eventually(async () => {
      const { status } = await me(url, leaves.access_token);
      expect([401, 503]).toContain(status);
      return status === 401;
    });
    await expectBack(url);
  });
});

it("a logout on the side of the old primary, which will forget it, is not done", () => {
  expect(loggedOutThere).toEqual([503, 503]);
});

it("without the tolerance, an instance knows of the logout when it is back, and promises no more", async () => {
  const { url } = trusting;
  await eventually(async () => (await me(url, leaves.access_token)).status === 401);
  await expectBack(url);
});

async function expectBack(url: string): Promise<void> {
  await untilReady(url);
  expectRefusal(await me(url, leaves.access_token), 401, "token_revoked");
  expectRefusal(await refresh(url, leaves.refresh_token), 401, "refresh_token_invalid");
  expect((await me(url, stays.access_token)).status).toBe(200);
}
