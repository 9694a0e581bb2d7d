import "../faults/outside-jest";
import "./expecting";
import { randomUUID } from "node:crypto";
import { call, logout, register, type Answer, type Tokens } from "../helpers/client";
import { decodePart } from "../helpers/jws";
import { becomeOps } from "../helpers/ops-user";
import { startRedis, type TestRedis } from "../helpers/redis";
import { startService } from "../helpers/service";

/** What ops staff do with a small denylist and with a large one, on one Redis, in one run. */
const SMALL = 1000;
const LARGE = Number(process.argv[2] ?? 1_000_000);
const EVENTS_SHARE = 10;
const ROUNDS = 40;
const BATCH = 2000;
const SLOW_MICROSECONDS = 1000;

type Work = { name: string; run: () => Promise<Answer> };
type Median = Map<string, number>;

async function fill({ admin }: TestRedis, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += BATCH) {
    const pipeline = admin.pipeline();
    for (let one = at; one < Math.min(at + BATCH, to); one += 1) {
      const [jti, sub, now] = [randomUUID(), randomUUID(), new Date().toISOString()];
      const said = {
        jti,
        sub,
        sid: null,
        iss: "curfew",
        iat: 1,
        exp: 2,
        revoked_at: now,
        reason: "logout",
        by: sub,
      };
      pipeline.set(
        `curfew:denylist:jti:${jti}`,
        JSON.stringify({ ...said, ip: null, user_agent: null }),
        "EX",
        86_400,
      );
      if (one % EVENTS_SHARE === 0) {
        const event = [
          "event",
          "logout",
          "timestamp",
          now,
          "kind",
          "token",
          "sub",
          sub,
          "sid",
          "",
          "jti",
          jti,
        ];
        pipeline.xadd("curfew:events", "*", ...event, "by", sub, "ip", "", "user_agent", "", "note", "");
      }
    }
    await pipeline.exec();
  }
}

const median = (times: number[]) =>
  times.sort((one, other) => one - other)[Math.floor(times.length / 2)] ?? NaN;

async function timeOf(run: () => Promise<Answer>): Promise<number> {
  const startedAt = performance.now();
  const { status } = await run();
  if (status >= 400) throw new Error(`It was answered with ${status}.`);
  return performance.now() - startedAt;
}

async function medians(works: Work[]): Promise<Median> {
  const times = new Map(works.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round += 1)
    for (const { name, run } of works) times.get(name)?.push(await timeOf(run));
  return new Map([...times].map(([name, each]) => [name, median(each)]));
}

async function listAll(url: string, token: string, query: string): Promise<{ found: number; pages: number }> {
  let [found, pages, cursor] = [0, 0, ""];
  do {
    const path = `/api/ops/revocations?limit=200&${query}${cursor && `&cursor=${cursor}`}`;
    const { status, body } = await call(url, "GET", path, { token });
    if (status !== 200) throw new Error(`A page was answered with ${status}.`);
    const page = body as { items: unknown[]; next_cursor: string | null };
    found += page.items.length;
    pages += 1;
    cursor = page.next_cursor ?? "";
  } while (cursor !== "");
  return { found, pages };
}

/** How long checks take while something else is done, as a median. */
async function checksDuring<T>(
  check: () => Promise<Answer>,
  work: Promise<T>,
): Promise<{ ms: number; result: T }> {
  const times: number[] = [];
  const state = { isDone: false };
  const done = work.finally(() => (state.isDone = true));
  while (!state.isDone) times.push(await timeOf(check));
  return { ms: median(times), result: await done };
}

async function main(): Promise<void> {
  const redis = await startRedis(["--slowlog-log-slower-than", String(SLOW_MICROSECONDS)]);
  const service = await startService({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: "1000" });
  const { url } = service;
  try {
    const { access_token: token } = await becomeOps(url, redis);
    const gone: Tokens = await register(url);
    await logout(url, gone.access_token);
    const jti = String(decodePart(gone.access_token, 1)["jti"]);
    const get = (path: string) => () => call(url, "GET", path, { token });
    const works: Work[] = [
      { name: "show an entry", run: get(`/api/ops/revocations/token/${jti}`) },
      {
        name: "why, of a token",
        run: () => call(url, "POST", "/api/ops/why", { token, body: { token: gone.access_token } }),
      },
      { name: "the console's first page", run: get("/api/ops/revocations?order=newest&limit=50") },
      { name: "a check", run: get("/api/auth/verify") },
    ];
    const check = get("/api/auth/verify");

    await fill(redis, 0, SMALL);
    await medians(works);
    const small = await medians(works);
    await fill(redis, SMALL, LARGE);
    await redis.admin.slowlog("RESET");
    const large = await medians(works);
    const walk = await checksDuring(check, listAll(url, token, ""));
    const sought = await checksDuring(check, listAll(url, token, `q=${jti}`));
    const slow = (await redis.admin.slowlog("GET", -1)) as [number, number, number, string[]][];
    const slowest = new Map<string, number>();
    for (const [, , microseconds, [command = ""]] of slow)
      slowest.set(command, Math.max(microseconds / 1000, slowest.get(command) ?? 0));

    process.stdout.write(`| ${LARGE} entries to ${SMALL} | ratio |\n| --- | --- |\n`);
    for (const [name, ms] of large)
      process.stdout.write(`| ${name} | ${(ms / (small.get(name) ?? NaN)).toFixed(2)} |\n`);
    const idle = large.get("a check") ?? NaN;
    process.stdout.write(`| a check, while all are listed | ${(walk.ms / idle).toFixed(2)} |\n`);
    process.stdout.write(`| a check, while one is sought among all | ${(sought.ms / idle).toFixed(2)} |\n\n`);
    process.stdout.write(
      `Listed ${walk.result.found} in ${walk.result.pages} pages; found ${sought.result.found} in ${sought.result.pages} pages. `,
    );
    const list = [...slowest].map(([command, ms]) => `${command} ${ms.toFixed(1)} ms`).join(", ");
    process.stdout.write(`The longest that a command took Redis, if it was over 1 ms: ${list || "none"}.\n`);
  } finally {
    await service.stop();
    await redis.stop();
  }
}

void main().then(() => process.exit());
