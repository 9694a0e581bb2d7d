import { once } from "node:events";
import { expectRefusal, logout, me, refresh, register, type Tokens } from "../helpers/client";
import { startFleet, type Fleet } from "../helpers/fleet";
import { startLoad } from "../helpers/load";
import { useRedis } from "../helpers/redis";
import { startService, useService, type TestService } from "../helpers/service";

const redis = useRedis();
const envOf = (graceMs: number) => ({
  REDIS_URL: redis.url,
  SHUTDOWN_GRACE_MS: String(graceMs),
  LOG_LEVEL: "warn",
});
const steady = useService(() => envOf(0));
const start = (graceMs = 0) => startService(envOf(graceMs));

describe("three instances restarted one by one under load", () => {
  const [ROUNDS, USERS, GRACE_MS] = [2, 8, 4000];

  let fleet: Fleet;
  beforeEach(async () => {
    fleet = await startFleet(envOf(GRACE_MS));
  });
  afterEach(() => fleet.stop());

  it("lose no connection, give no 5xx, and are right about every token", async () => {
    const users = await Promise.all(Array.from({ length: USERS }, () => register(steady.url)));
    const load = startLoad(fleet.balancer, users);
    for (let round = 0; round < ROUNDS; round += 1) await fleet.restart(envOf(GRACE_MS));
    const answers = await load.stop();

    expect(load.wrong).toEqual([]);
    expect(answers).toBeGreaterThan(500);
  }, 120_000);
});

describe("logouts in flight when the process ends", () => {
  const [STORMS, SESSIONS] = [6, 12];

  /** Logs everybody out at once, and ends the process once some of them know. */
  async function storm(victim: TestService, signal: NodeJS.Signals, sessions: Tokens[], known: number) {
    let successes = 0;
    const exit = once(victim.process, "exit");
    const outcomes = sessions.map(async ({ access_token: token }) => {
      const answer = await logout(victim.url, token).catch(() => undefined);
      if (answer?.status !== 200) return false;
      successes += 1;
      if (successes === known) victim.process.kill(signal);
      return true;
    });
    const succeeded = await Promise.all(outcomes);
    await exit;
    return succeeded;
  }

  const cases = [
    ["SIGTERM", 0],
    ["SIGTERM", 2000],
    ["SIGKILL", 0],
  ] as const;
  it.each(cases)(
    "%s, with a grace of %d ms: whoever was told 200 is out",
    async (signal, graceMs) => {
      let lost = 0;
      for (let round = 0; round < STORMS; round += 1) {
        const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => register(steady.url)));
        const victim = await start(graceMs);
        const succeeded = await storm(victim, signal, sessions, 1 + round);
        for (const [at, { access_token, refresh_token }] of sessions.entries()) {
          const verdict = await me(steady.url, access_token);
          const refreshed = await refresh(steady.url, refresh_token);
          if (succeeded[at]) {
            expectRefusal(verdict, 401, "token_revoked");
            expectRefusal(refreshed, 401, "refresh_token_invalid");
          } else lost += 1;
          // Out or in, but not half.
          expect(refreshed.status).toBe(verdict.status);
        }
      }

      // Without a grace some were cut off, or it was no storm; with one nobody was.
      if (graceMs === 0) expect(lost).toBeGreaterThan(0);
      else expect(lost).toBe(0);
    },
    60_000,
  );
});
