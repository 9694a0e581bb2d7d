import type { Fault } from "./fault";
import {
  askEverything,
  check,
  isHealthy,
  login,
  openSessions,
  REDIS_TIMEOUT_MS,
  startStage,
  type Answers,
  type Sessions,
  type Stage,
} from "./stage";
import {
  call,
  eventually,
  expectRefusal,
  refresh,
  register,
  settled,
  untilReady,
  type Answer,
  type Tokens,
} from "../helpers/client";
import { FAULTS } from "../helpers/faults";
import { decodePart } from "../helpers/jws";
import { use } from "../helpers/use";

/** Whatever happens to Redis, nobody who logged out gets back in, and nobody waits for ever. */
let stage: Stage | undefined;

afterAll(() => stage?.stop());

/** A stage that stays as it is when all goes well; else the next test gets a new one. */
async function onStage(play: (stage: Stage) => Promise<void>): Promise<void> {
  stage ??= await startStage();
  try {
    await play(stage);
  } catch (error) {
    await stage.stop();
    stage = undefined;
    throw error;
  }
}

async function during(fault: Fault, here: Stage, act: () => Promise<void>): Promise<void> {
  try {
    await fault.breakIt(here);
    await act();
  } finally {
    await fault.mendIt?.(here);
  }
}

/** How much longer than Redis's time an answer may take here: a bound of what is promised, no measure of speed. */
const BUSY_MACHINE_MS = 1000;

const asked: (keyof Fault["expect"])[] = ["check", "revokedCheck", "logout", "login", "refresh", "readyz"];

function expectPromised(answers: Answers, fault: Fault): void {
  const { expect: promised } = fault;
  const statuses = asked.map((what) => `${what} ${answers[what].status}`);
  const right = asked.map((what, at) =>
    promised[what].includes(answers[what].status) ? statuses[at] : `${what} ${promised[what].join(" or ")}`,
  );
  expect(statuses).toEqual(right);
  for (const what of asked) {
    const answer = answers[what];
    if (answer.status !== 503) continue;
    expectRefusal(answer, 503, "denylist_unavailable");
    expect(answer.ms).toBeLessThan(REDIS_TIMEOUT_MS + BUSY_MACHINE_MS);
  }
  expect(answers.healthz.status).toBe(200);
  expectReason(answers.readyz, fault);
}

/** Ready or not, it says what is wrong. */
function expectReason({ status, body }: Answer, { warns }: Fault): void {
  const words = expect.stringMatching(/\w/) as string;
  if (status === 503) expect(body).toMatchObject({ details: [{ path: "redis", message: words }] });
  if (warns) expect(body).toMatchObject({ warnings: [{ code: words, message: words }] });
  // Anybody may ask: where Redis is, or as whom we are there, is nobody's business.
  expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|localhost|only-for-tests|:\d{4,5}\b/);
}

async function expectRecovered(here: Stage, { live, leaving, revoked }: Sessions): Promise<void> {
  const { url } = here.service;
  await eventually(() => isHealthy(here, { live, leaving, revoked }));
  expectRefusal(await check(url, revoked), 401, "token_revoked");
  // A logout that was refused has been tried again by now.
  expectRefusal(await check(url, leaving), 401, "token_revoked");
  expectRefusal(await refresh(url, leaving.refresh_token), 401, "refresh_token_invalid");
  // A refresh that was refused may have happened all the same: it can be tried again.
  expect((await refresh(url, live.refresh_token)).status).toBe(200);
  const again = await settled(() => login(url, live.user.email));
  expect((await check(url, again.body as Tokens)).status).toBe(204);
}

describe("a Redis that fails", () => {
  it.each(FAULTS)("$name: $what", (fault) =>
    onStage(async (here) => {
      const sessions = await openSessions(here);
      await during(fault, here, async () => {
        if (fault.isFoundOut) await untilRefused(here, sessions);
        expectPromised(await askEverything(here, sessions), fault);
      });
      await expectRecovered(here, sessions);
    }),
  );

  /** Until then every verdict is right. */
  const untilRefused = ({ service: { url } }: Stage, { live, revoked }: Sessions) =>
    eventually(async () => {
      const [alive, dead] = await Promise.all([check(url, live), check(url, revoked)]);
      expect([204, 503]).toContain(alive.status);
      expect([401, 503]).toContain(dead.status);
      return alive.status === 503;
    });
});

it("never takes one answer for another's, whatever the wire does to them", () =>
  onStage(async (here) => {
    const { wire, redis, service } = here;
    const first = await register(service.url);
    const tokens = [first];
    while (tokens.length < 64) {
      const { refresh_token } = tokens.at(-1) ?? first;
      tokens.push((await refresh(service.url, refresh_token)).body as Tokens);
    }
    const crowd = tokens.map((each) => ({
      token: each.access_token,
      jti: String(decodePart(each.access_token, 1)["jti"]),
      isRevoked: Math.random() < 0.5,
    }));
    for (const { jti, isRevoked } of crowd) {
      if (isRevoked) await redis.admin.set(`curfew:denylist:jti:${jti}`, "by hand", "EX", 900);
    }

    async function checkAll(): Promise<number> {
      const verdicts = await Promise.all(
        crowd.map(async ({ token, jti, isRevoked }) => {
          const { status, headers } = await call(service.url, "GET", "/api/auth/verify", { token });
          expect([isRevoked ? 401 : 204, 503]).toContain(status);
          expect(headers.get("x-auth-token-id")).toBe(status === 204 ? jti : null);
          return status !== 503;
        }),
      );
      return verdicts.filter(Boolean).length;
    }

    try {
      wire.delay(() => Math.random() * 20);
      wire.slice(7);
      // On a busy machine most of a round comes too late.
      for (let [told, round] = [0, 0]; round < 15 || told <= crowd.length; round += 1) {
        const checked = checkAll();
        if (round % 3 === 2) wire.drop();
        told += await checked;
      }
    } finally {
      wire.heal();
    }
    await untilReady(service.url);
    expect(await checkAll()).toBe(crowd.length);
  }));

describe.each(["10", "0"])("a refresh that Redis left unanswered, with %s seconds of grace", (grace) => {
  const here = use(() => startStage({ REFRESH_GRACE_SECONDS: grace }));

  it.each(FAULTS.filter(({ name }) => ["hung", "black-holed", "writes paused"].includes(name)))(
    "$name: can be tried again with the same token",
    async (fault) => {
      const { url } = here.service;
      const { refresh_token } = await register(url);
      await during(fault, here, async () => {
        expectRefusal(await refresh(url, refresh_token), 503, "denylist_unavailable");
      });
      let next: Answer | undefined;
      await eventually(async () => {
        next = await refresh(url, refresh_token);
        return next.status !== 503;
      });
      expect(next?.status).toBe(200);
      expect((await check(url, next?.body as Tokens)).status).toBe(204);
    },
  );
});
