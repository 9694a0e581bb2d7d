import { once } from "node:events";
import { startBalancer, type Balancer, type Reply } from "./helpers/balancer";
import {
  call,
  eventually,
  expectRefusal,
  me,
  PASSWORD,
  refresh,
  register,
  type Tokens,
} from "./helpers/client";
import { startRedis, type TestRedis } from "./helpers/redis";
import { startService, type TestService } from "./helpers/service";

let redis: TestRedis;
let steady: TestService;
beforeAll(async () => {
  redis = await startRedis();
  steady = await start();
});
afterAll(async () => {
  await steady.stop();
  await redis.stop();
});

const start = (graceMs = 0) =>
  startService({ REDIS_URL: redis.url, SHUTDOWN_GRACE_MS: String(graceMs), LOG_LEVEL: "warn" });

describe("D-03: three instances restarted one by one under load", () => {
  const [ROUNDS, USERS, GRACE_MS, REFRESH_EVERY, LOGOUT_EVERY] = [2, 8, 4000, 5, 60];

  let balancer: Balancer;
  beforeEach(() => {
    balancer = startBalancer();
  });
  afterEach(() => balancer.stop());

  type Load = { wrong: string[]; isOver: boolean; answers: number };

  async function ask(load: Load, expected: number, ...request: Parameters<Balancer["send"]>): Promise<Reply> {
    const answer = await balancer.send(...request).catch((error: unknown) => String(error));
    load.answers += 1;
    if (typeof answer !== "string" && answer.status === expected) return answer;
    load.wrong.push(`${request[0]} ${request[1]}: ${JSON.stringify(answer)}, not ${expected}`);
    load.isOver = true;
    throw new Error("the load is over");
  }

  /** One user's frontend, until the load is over: each verdict is known beforehand, whichever instance gives it. */
  async function use(load: Load, first: Tokens): Promise<void> {
    let { access_token: token, refresh_token } = first;
    for (let count = 1; !load.isOver; count += 1) {
      await ask(load, 200, "GET", "/api/users/me", { token });
      await ask(load, 204, "GET", "/api/auth/verify", { token });
      if (count % LOGOUT_EVERY === 0) {
        await ask(load, 200, "POST", "/api/auth/logout", { token });
        await ask(load, 401, "GET", "/api/users/me", { token });
        await ask(load, 401, "POST", "/api/auth/refresh", { body: { refresh_token } });
        const credentials = { email: first.user.email, password: PASSWORD };
        const login = await ask(load, 200, "POST", "/api/auth/login", { body: credentials });
        ({ access_token: token, refresh_token } = login.body as Tokens);
      } else if (count % REFRESH_EVERY === 0) {
        const refreshed = await ask(load, 200, "POST", "/api/auth/refresh", { body: { refresh_token } });
        ({ access_token: token, refresh_token } = refreshed.body as Tokens);
      }
    }
  }

  async function restart(old: TestService): Promise<TestService> {
    const exit = once(old.process, "exit");
    old.process.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
    balancer.remove(old);
    const next = await start(GRACE_MS);
    balancer.add(next);
    await eventually(() => Promise.resolve(balancer.isReady(next)));
    return next;
  }

  it("lose no connection, give no 5xx, and are right about every token", async () => {
    const load: Load = { wrong: [], isOver: false, answers: 0 };
    let instances = await Promise.all([1, 2, 3].map(() => start(GRACE_MS)));
    for (const instance of instances) balancer.add(instance);
    await eventually(() => Promise.resolve(instances.every((each) => balancer.isReady(each))));
    const users = await Promise.all(Array.from({ length: USERS }, () => register(steady.url)));

    const startedAt = performance.now();
    const using = Promise.allSettled(users.map((tokens) => use(load, tokens)));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const old of [...instances]) {
        const next = await restart(old);
        instances = [...instances.filter((each) => each !== old), next];
      }
    }
    load.isOver = true;
    await using;
    const perSecond = (1000 * load.answers) / (performance.now() - startedAt);

    expect(load.wrong).toEqual([]);
    expect(perSecond).toBeGreaterThan(200);
  }, 120_000);
});

describe("D-02: logouts in flight when the process ends", () => {
  const [STORMS, SESSIONS] = [6, 12];

  /** Logs everybody out at once, and ends the process once some of them know. */
  async function storm(victim: TestService, signal: NodeJS.Signals, sessions: Tokens[], known: number) {
    let successes = 0;
    const exit = once(victim.process, "exit");
    const outcomes = sessions.map(async ({ access_token: token }) => {
      const answer = await call(victim.url, "POST", "/api/auth/logout", { token }).catch(() => undefined);
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
