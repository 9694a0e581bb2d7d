import { randomUUID } from "node:crypto";
import pino from "pino";
import { createCurfew } from "../../src/index";
import { createAlarms } from "../../src/denylist/alarms";
import { NOBODY } from "../../src/denylist/entry";
import { CurfewError } from "../../src/errors";
import { connectRedis } from "../../src/redis/redis";
import { createOneShard } from "../../src/redis/shards";
import { call, eventually, expectRefusal, register, untilReady, type Answer } from "../helpers/client";
import { isAlarm, readEvents } from "../helpers/events";
import { keepLog } from "../helpers/issuer";
import { decodePart } from "../helpers/jws";
import { askAsClient, CLIENT, writeClients } from "../helpers/oauth-client";
import { startProvider, writeIssuers } from "../helpers/provider";
import { useRedis } from "../helpers/redis";
import { SECRET, useService, type TestService } from "../helpers/service";
import { use } from "../helpers/use";

const EVENT = "revoked_token_used";
const NOTHING_WITNESSED = { witnessed: () => undefined };
const SILENT = pino({ level: "silent" });

/** What a test opened in this process. */
const opened: { close(): unknown }[] = [];
function untilEnd<T extends { close(): unknown }>(it: T): T {
  opened.push(it);
  return it;
}
afterAll(async () => {
  for (const each of opened.reverse()) await each.close();
});
const redis = useRedis();
const clerk = use(() => startProvider("clerk"));
const env = () => ({
  REDIS_URL: redis.url,
  OAUTH_CLIENTS_FILE: writeClients(CLIENT),
  TRUSTED_ISSUERS_FILE: writeIssuers(clerk),
});
const one = useService(env);
const two = useService(env);

const jtiOf = (token: string) => String(decodePart(token, 1)["jti"]);
const verify = ({ url }: TestService, token: string) => call(url, "GET", "/api/auth/verify", { token });

async function logout(token: string): Promise<void> {
  expect((await call(one.url, "DELETE", "/v1/auth/session", { token })).status).toBe(200);
}

/** A token of ours that was logged out. */
async function revoked(): Promise<string> {
  const { access_token } = await register(one.url);
  await logout(access_token);
  return access_token;
}

type Line = Record<string, unknown>;
const linesOf = ({ log }: TestService, jti: string) =>
  log.filter((line) => line.includes(EVENT) && line.includes(jti)).map((line) => JSON.parse(line) as Line);

const eventsOf = async (jti: string) =>
  (await readEvents(redis)).filter((event) => isAlarm(event) && event["jti"] === jti);

const refused = async (answer: Promise<Answer>) => {
  expectRefusal(await answer, 401, "token_revoked");
};

/** What a service tells of, and Redis is told of, comes in order: once this is told, so is all that came before. */
async function untilTold(): Promise<void> {
  for (const service of [one, two]) {
    const jti = randomUUID();
    const token = clerk.mint({ jti });
    await logout(token);
    await refused(verify(service, token));
    await eventually(async () => linesOf(service, jti).length > 0 && (await eventsOf(jti)).length > 0);
  }
}

it("twenty uses of a revoked token on two instances are a line on each, and one event", async () => {
  const token = await revoked();
  const { sub, sid, jti } = decodePart(token, 1) as Record<"sub" | "sid" | "jti", string>;
  const headers = { "User-Agent": "curl/8", "X-Request-Id": "the-first" };
  await refused(call(one.url, "GET", "/api/users/me", { token, headers }));
  await Promise.all(Array.from({ length: 19 }, (_, at) => refused(verify(at % 2 === 0 ? one : two, token))));
  await untilTold();
  const about = { level: 40, event: EVENT, ip: "127.0.0.1", sub, sid, jti, uses: 1, total: 1 };
  expect(linesOf(one, jti)).toMatchObject([{ ...about, request_id: "the-first", path: "/api/users/me" }]);
  expect(linesOf(two, jti)).toMatchObject([{ ...about, path: "/api/auth/verify" }]);
  expect(await eventsOf(jti)).toEqual([
    {
      ...{ event: EVENT, timestamp: expect.stringMatching(/^\d{4}-.*Z$/) as string, kind: "" },
      ...{ sub, sid, jti, by: "", ip: "127.0.0.1", user_agent: "curl/8", note: "" },
    },
  ]);
});

it("each token is an alarm of its own, whoever it was shown to, and nobody writes an entry for it", async () => {
  const log = keepLog();
  const options = { redis: redis.url, keys: { secret: SECRET }, timeoutMs: 5000, log: log.log };
  const curfew = untilEnd(createCurfew(options));
  const [guarded, introspected, shown] = [await revoked(), await revoked(), await revoked()];
  const foreign = clerk.mint({ sub: "user_1", sid: "sess_1" });
  await logout(foreign);
  const entries = async () => (await redis.admin.keys("curfew:denylist:*")).sort();
  const before = await entries();

  await refused(verify(one, guarded));
  await refused(verify(one, foreign));
  const answer = await askAsClient(two.url, "/oauth/introspect", { token: introspected });
  expect(answer.body).toEqual({ active: false });
  // Until it has a connection it knows nothing of any token.
  await eventually(() =>
    curfew.verify(shown).then(
      () => false,
      (error: unknown) => (error as CurfewError).code === "token_revoked",
    ),
  );

  const by = { [guarded]: "", [introspected]: `client:${CLIENT.id}`, [shown]: "app", [foreign]: "" };
  for (const [token, who] of Object.entries(by)) {
    await eventually(async () => (await eventsOf(jtiOf(token))).length > 0);
    expect((await eventsOf(jtiOf(token))).map((event) => event["by"])).toEqual([who]);
  }
  expect(await entries()).toEqual(before);
  expect(await eventsOf(jtiOf(foreign))).toMatchObject([{ sub: "clerk:user_1", sid: "sess_1" }]);
  const line = { client: CLIENT.id, path: "/oauth/introspect", uses: 1 };
  expect(linesOf(two, jtiOf(introspected))).toMatchObject([line]);
  const { sub } = decodePart(shown, 1);
  expect(log.lines.filter(({ event }) => event === EVENT)).toMatchObject([{ sub, jti: jtiOf(shown) }]);
});

it("while it goes on, the events tell of it again", async () => {
  const address = { mode: "single", url: redis.url } as const;
  const client = untilEnd(connectRedis(address, { timeoutMs: 5000, minReplicas: 0 }, SILENT));
  await client.firstContact;
  const prefix = "curfew:short:";
  const alarms = untilEnd(
    createAlarms(
      { redis: client, shards: createOneShard(prefix), past: NOTHING_WITNESSED, log: SILENT },
      200,
    ),
  );
  const refusal = new CurfewError("token_revoked", { about: { sub: "ada", jti: "a" } });
  const told = () => redis.admin.xlen(`${prefix}events`);
  await eventually(async () => {
    alarms.raise(refusal, { by: "", requester: NOBODY, about: {} });
    return (await told()) === 3;
  });
});

it("a Redis that is full takes no event, and changes neither the answer nor the line", async () => {
  const token = await revoked();
  await redis.admin.config("SET", "maxmemory", "1");
  await refused(verify(one, token));
  await eventually(() => Promise.resolve(linesOf(one, jtiOf(token)).length === 1));
  await redis.admin.config("SET", "maxmemory", "0");
  await untilTold();
  expect(await eventsOf(jtiOf(token))).toEqual([]);
});

it("a Redis that doesn't answer is no alarm", async () => {
  const token = await revoked();
  process.kill(redis.pid, "SIGSTOP");
  const answer = await verify(one, token);
  process.kill(redis.pid, "SIGCONT");
  expectRefusal(answer, 503, "denylist_unavailable");
  await untilReady(one.url);
  await untilTold();
  expect([linesOf(one, jtiOf(token)), await eventsOf(jtiOf(token))]).toEqual([[], []]);
});

it("a logout with a revoked token is a success, and no alarm", async () => {
  const token = await revoked();
  await logout(token);
  await untilTold();
  expect([linesOf(one, jtiOf(token)), await eventsOf(jtiOf(token))]).toEqual([[], []]);
});
