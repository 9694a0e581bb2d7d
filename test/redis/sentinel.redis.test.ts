import {
  call,
  eventually,
  expectRefusal,
  login,
  logout,
  me,
  PASSWORD,
  refresh,
  register,
  settled,
  untilReady,
  type Tokens,
} from "../helpers/client";
import { expectOut, logOutWhile, openDevices } from "../helpers/leaving";
import { startSentinel } from "../helpers/sentinel";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

const DEVICES = 60;

const redis = use(() => startSentinel(), 60_000);
const env = () => ({ REDIS_MODE: "sentinel", REDIS_URL: redis.url, REDIS_SENTINEL_NAME: redis.name });
/** Waits for a replica at each logout. */
const careful = useService(() => ({ ...env(), REVOKE_MIN_REPLICAS: "1" }));
/** Believes the primary alone. */
const trusting = useService(env);

async function replicas() {
  const primary = await redis.primary();
  return redis.nodes.filter((node) => node !== primary);
}

/** Brings back what a test has killed, and waits until all is as it was in the beginning. */
async function mend(): Promise<void> {
  const primary = await redis.primary();
  for (const node of redis.nodes) {
    if (node.isRunning()) continue;
    await node.start(["--replicaof", `127.0.0.1 ${primary.port}`]);
  }
  await redis.untilSettled();
  await Promise.all([untilReady(careful.url), untilReady(trusting.url)]);
}

it("no logout that was acknowledged is lost when the primary is killed", async () => {
  const devices = await openDevices(careful.url, DEVICES);
  const primary = await redis.primary();
  const acknowledged = await logOutWhile(careful.url, devices, () => primary.kill());
  expect(acknowledged.length).toBeGreaterThan(DEVICES / 4);
  await untilReady(careful.url);
  await eventually(async () => (await redis.primary()) !== primary);
  await expectOut(careful.url, acknowledged);
  await untilReady(trusting.url);
  await expectOut(trusting.url, acknowledged);
  await mend();
}, 60_000);

it("an orderly failover costs nobody a session, and brings nobody back", async () => {
  const stays = await register(careful.url);
  const leaves = await login(careful.url, stays.user.email);
  expect((await logout(careful.url, leaves.access_token)).status).toBe(200);
  const before = await redis.primary();
  await redis.failOver();
  await eventually(async () => (await redis.primary()) !== before);
  for (const { url } of [careful, trusting]) {
    await untilReady(url);
    expect((await settled(() => me(url, stays.access_token))).status).toBe(200);
    expectRefusal(await settled(() => me(url, leaves.access_token)), 401, "token_revoked");
  }
  await mend();
}, 60_000);

it("a logout that no replica has is not done, though it is tried again, and checks don't wait for it", async () => {
  const [leaves, stays] = await openDevices(careful.url, 2);
  if (!leaves || !stays) throw new Error("two devices were asked for");
  const stopped = await replicas();
  try {
    for (const { pid } of stopped) process.kill(pid, "SIGSTOP");
    expectRefusal(await logout(careful.url, leaves.access_token), 503, "denylist_unavailable");
    // This one changes nothing in Redis any more. What the first one wrote is as unconfirmed as before.
    const again = logout(careful.url, leaves.access_token);
    expect((await me(careful.url, stays.access_token)).status).toBe(200);
    expectRefusal(await again, 503, "denylist_unavailable");
    const others = call(careful.url, "DELETE", "/api/auth/sessions", { token: stays.access_token });
    expectRefusal(await others, 503, "denylist_unavailable");
  } finally {
    for (const { pid } of stopped) process.kill(pid, "SIGCONT");
  }
  await eventually(async () => (await logout(careful.url, leaves.access_token)).status === 200);
  await expectOut(trusting.url, [leaves]);
  await mend();
}, 60_000);

it("a logout that was acknowledged by the primary alone and died with it is noticed: nobody gets back in", async () => {
  const leaves = await register(trusting.url);
  const primary = await redis.primary();
  // From now on they hear nothing of it.
  for (const { admin } of await replicas()) await admin.config("SET", "masterauth", "wrong");
  await primary.admin.call("CLIENT", "KILL", "TYPE", "replica");
  await eventually(async () => (await primary.admin.info("replication")).includes("connected_slaves:0"));
  expect((await logout(trusting.url, leaves.access_token)).status).toBe(200);
  const password = new URL(primary.url).password;
  await primary.kill();
  for (const node of redis.nodes.filter((each) => each !== primary)) {
    await node.admin.config("SET", "masterauth", password);
  }
  await untilReady(trusting.url);
  await eventually(async () => (await redis.primary()) !== primary);
  expectRefusal(await settled(() => me(trusting.url, leaves.access_token)), 401, "token_revoked");
  const refreshed = await settled(() => refresh(trusting.url, leaves.refresh_token));
  expectRefusal(refreshed, 401, "refresh_token_invalid");
  expect(trusting.log.filter((line) => line.includes('"denylist_lost"'))).toHaveLength(1);
  const body = { email: leaves.user.email, password: PASSWORD };
  const back = await settled(() => call(trusting.url, "POST", "/api/auth/login", { body }));
  const { access_token: token } = back.body as Tokens;
  expect((await settled(() => me(trusting.url, token))).status).toBe(200);
  await mend();
}, 60_000);
