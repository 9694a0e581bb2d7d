import { setTimeout as sleep } from "node:timers/promises";
import { call, eventually } from "../helpers/client";
import { startService, type TestService } from "../helpers/service";
import { createActs, type Acts, type Session } from "./acts";
import { judge, type Judgement } from "./judge";
import { createRecorder, type Operation } from "./operation";
import { createRandom, type Random } from "./random";
import { DONE, type Fault, type Hands, type World } from "./world";

/** A fault that came, until all services were ready again. */
type Strike = { name: string; startedAt: number; endedAt: number };

export type Result = {
  history: readonly Operation[];
  strikes: Strike[];
} & Judgement;

export type RunOptions = {
  startWorld: (services: number) => Promise<World>;
  /** At least; and every fault comes once. */
  seconds: number;
  seed: number;
};

const SERVICES = 3;
const CLIENTS = 24;
const SETTINGS = {
  REDIS_TIMEOUT_MS: "250",
  LOG_LEVEL: "error",
  // A refresh whose answer got lost may be tried again much later.
  REFRESH_GRACE_SECONDS: "300",
};

/** Many clients, and one fault after the other. Then all is well again, and every session is looked at. */
export async function run({ startWorld, seconds, seed }: RunOptions): Promise<Result> {
  const world = await startWorld(SERVICES);
  const services = await Promise.all(world.environments.map(start));
  const recorder = createRecorder();
  const random = createRandom(seed);
  const acts = createActs(() => services.map(({ url }) => url), recorder, random);
  let isOver = false;
  const clients = inParallel(() => live(acts, random, () => isOver));
  try {
    const faults = [...world.faults, serviceIsKilled(services, world)];
    const striking = strikeAll(faults, services, { recorder, random: createRandom(seed + 1) }, seconds);
    striking.catch(() => undefined);
    // A client that fails ends it all: a fault would wait for ever for something to happen.
    await Promise.race([striking, clients]);
    const strikes = await striking;
    isOver = true;
    await clients;
    await checkAll(acts);
    return { history: recorder.history, strikes, ...judge(recorder.history, world) };
  } finally {
    isOver = true;
    for (const service of services) service.process.kill("SIGKILL");
    await clients.catch(() => undefined);
    await world.stop();
  }
}

const start = (environment: NodeJS.ProcessEnv) => startService({ ...SETTINGS, ...environment });

/** Where one fails before anybody waits for it, the others go on. */
function inParallel(work: () => Promise<void>): Promise<unknown> {
  const all = Promise.all(Array.from({ length: CLIENTS }, work));
  all.catch(() => undefined);
  return all;
}

type Act = (session: Session) => Promise<unknown>;

async function live(acts: Acts, random: Random, isOver: () => boolean): Promise<void> {
  const choices: [weight: number, act: Act][] = [
    [60, acts.check],
    [12, acts.refresh],
    [8, acts.enter],
    [8, acts.logOut],
  ];
  while (!isOver()) {
    const session = random.pickLate(random.next() < 0.7 ? [...acts.live] : acts.sessions);
    const [, act] = random.pickWeighted(choices);
    await (session ? act(session) : acts.enter());
  }
}

async function checkAll({ sessions, checkAtLast }: Acts): Promise<void> {
  const left = [...sessions];
  await inParallel(async () => {
    for (let session = left.pop(); session; session = left.pop()) await checkAtLast(session);
  });
}

async function strikeAll(
  faults: Fault[],
  services: TestService[],
  { recorder, random }: Omit<Hands, "hold" | "untilReady">,
  seconds: number,
): Promise<Strike[]> {
  const strikes: Strike[] = [];
  const between = (fromMs: number, toMs: number) => async () => {
    await Promise.all([sleep(random.whole(fromMs, toMs)), recorder.untilMore(20)]);
  };
  const [rest, hold] = [between(50, 250), between(300, 900)];
  const allReady = () => Promise.all(services.map(untilReady));
  for (const fault of inTurn(faults, random, performance.now() + seconds * 1000)) {
    await rest();
    const startedAt = performance.now();
    await fault.strike({ recorder, random, hold, untilReady: allReady });
    await recorder.perform({ kind: "calm", user: "" }, async () => {
      await allReady();
      return DONE;
    });
    strikes.push({ name: fault.name, startedAt, endedAt: performance.now() });
  }
  return strikes;
}

/** Each once; then any, for as long as there is time. */
function* inTurn(faults: Fault[], random: Random, until: number): Generator<Fault> {
  yield* random.shuffle(faults);
  while (performance.now() < until) yield* random.shuffle(faults).slice(0, 1);
}

const serviceIsKilled = (services: TestService[], { environments }: World): Fault => ({
  name: "a service is killed, and started again",
  async strike({ hold, random }) {
    const at = random.whole(0, services.length - 1);
    services[at]?.process.kill("SIGKILL");
    await hold();
    services[at] = await start(environments[at] ?? {});
  },
});

const untilReady = ({ url }: TestService) =>
  eventually(() =>
    call(url, "GET", "/readyz").then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
