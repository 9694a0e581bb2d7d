import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import {
  call,
  eventually,
  expectRefusal,
  logout,
  register,
  untilReady,
  type Tokens,
} from "../../helpers/client";
import { openEvents, type EventStream, type Message } from "../../helpers/event-stream";
import { decodePart, vary } from "../../helpers/jws";
import { becomeOps } from "../../helpers/ops-user";
import { useRedis } from "../../helpers/redis";
import { SECRET, startService, useService } from "../../helpers/service";

const STREAMS_MAX = 20;
/** How long a stream may outlive its token, and more for a busy machine. */
const SOON_MS = 1500;

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: "250" }));
let ops: Tokens;
const opened: EventStream[] = [];
beforeAll(async () => {
  ops = await becomeOps(service.url, redis);
});
afterEach(() => {
  for (const stream of opened.splice(0)) stream.stop();
});

async function follow(options: Parameters<typeof openEvents>[2] = {}, token = ops.access_token) {
  const stream = await openEvents(service.url, token, options);
  opened.push(stream);
  return stream;
}
const claimsOf = ({ access_token }: Tokens) =>
  decodePart(access_token, 1) as { jti: string; sid: string; sub: string; exp: number };

/** Somebody logs out; returns what finds it among the messages. */
async function leave(): Promise<(message: Message) => boolean> {
  const tokens = await register(service.url);
  await logout(service.url, tokens.access_token);
  const { jti } = claimsOf(tokens);
  return ({ data }) => data["jti"] === jti;
}

async function expectEndsSoon({ ended }: EventStream): Promise<void> {
  const startedAt = performance.now();
  await ended;
  expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
}

it("tells what happens from now on, as it happens", async () => {
  const before = await leave();
  const stream = await follow();
  expect(stream.status).toBe(200);
  expect(stream.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(stream.headers.get("cache-control")).toBe("no-store");
  expect(stream.headers.get("x-accel-buffering")).toBe("no");
  const isIt = await leave();
  const [message] = await stream.until(isIt);
  expect(message?.data).toMatchObject({
    ...{ event: "logout", kind: "session", ip: "127.0.0.1", user_agent: "node", note: null },
    id: message?.id,
  });
  expect(stream.messages.filter(before)).toEqual([]);
});

it("goes on after the last event that was seen, and misses none", async () => {
  const stream = await follow();
  const [first] = await stream.until(await leave());
  stream.stop();
  const [one, two] = [await leave(), await leave()];
  const id = first?.id ?? "";
  for (const again of [
    // Browsers repeat the address when they connect again.
    await follow({ headers: { "Last-Event-ID": id }, query: "?last_event_id=0-1" }),
    await follow({ query: `?last_event_id=${id}&recent=500` }),
  ]) {
    await again.until(two);
    expect(again.messages.map((message) => [one, two].findIndex((isIt) => isIt(message)))).toEqual([0, 1]);
  }
});

it("begins with as many of the last events as are wanted", async () => {
  const [one, two, three] = [await leave(), await leave(), await leave()];
  const stream = await follow({ query: "?recent=2" });
  await stream.until(three);
  const found = stream.messages.map((message) => [one, two, three].findIndex((isIt) => isIt(message)));
  expect(found).toEqual([1, 2]);
  const later = await leave();
  await stream.until(later);
  expect(stream.messages).toHaveLength(3);
});

it("refuses places and numbers that are none", async () => {
  for (const [query, path] of [
    ["?last_event_id=x", "last_event_id"],
    ["?last_event_id=1-1,1-1", "last_event_id"],
    ["?last_event_id=%2B", "last_event_id"],
    ["?recent=501", "recent"],
    ["?recent=-1", "recent"],
    ["?since=x", "since"],
  ]) {
    const answer = await call(service.url, "GET", `/api/ops/events${query}`, { token: ops.access_token });
    expectRefusal(answer, 400, "invalid_request");
    expect(answer.body).toMatchObject({ details: [{ path }] });
  }
  const headers = { "Last-Event-ID": "x" };
  expect(
    await call(service.url, "GET", "/api/ops/events", { token: ops.access_token, headers }),
  ).toMatchObject({
    status: 400,
    body: { details: [{ path: "Last-Event-ID" }] },
  });
});

it("is for a token with the role alone, and to a HEAD it says no more than its headers", async () => {
  const somebody = await register(service.url);
  const at = (token?: string) => call(service.url, "GET", "/api/ops/events", token ? { token } : {});
  expectRefusal(await at(), 401, "token_missing");
  expectRefusal(await at(somebody.access_token), 403, "insufficient_role");
  const head = await call(service.url, "HEAD", "/api/ops/events", { token: ops.access_token });
  expect([head.status, head.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
});

it("is opened by no page of another site, by the cookie of somebody of the staff", async () => {
  const from = (headers: Record<string, string>) =>
    call(service.url, "HEAD", "/api/ops/events", {
      headers: { Cookie: `curfew_access=${ops.access_token}`, ...headers },
    });
  expect((await from({ "Sec-Fetch-Site": "same-site" })).status).toBe(403);
  expect((await from({ Origin: "https://evil.example" })).status).toBe(403);
  expect((await from({ "Sec-Fetch-Site": "same-origin" })).status).toBe(200);
  expect((await from({})).status).toBe(200);
});

it("keeps each event in one message, whatever it says", async () => {
  const stream = await follow();
  const note = "id: 9-9\n\ndata: {}\r\n\u001b[2J\u2028";
  const jti = randomUUID();
  await redis.admin.xadd("curfew:events", "*", "event", "logout", "jti", jti, "note", note);
  const [message] = await stream.until(({ data }) => data["jti"] === jti);
  expect(message?.data["note"]).toBe(note);
});

describe("ends", () => {
  it("when its token's session is over, and tells nothing more", async () => {
    const staff = await becomeOps(service.url, redis);
    const stream = await follow({}, staff.access_token);
    const other = await follow();
    await logout(service.url, staff.access_token);
    await expectEndsSoon(stream);
    const isIt = await leave();
    await other.until(isIt);
    expect(stream.messages.filter(isIt)).toEqual([]);
  });

  it("when its token alone is revoked, by whichever instance", async () => {
    const staff = await becomeOps(service.url, redis);
    const stream = await follow({}, staff.access_token);
    const another = await startService({ REDIS_URL: redis.url });
    const body = { token: staff.access_token, reason: "left the company" };
    expect(
      (await call(another.url, "POST", "/api/ops/revocations", { token: ops.access_token, body })).status,
    ).toBe(201);
    await expectEndsSoon(stream);
    await another.stop();
  });

  it("when there is something to tell, and its token was revoked by hand", async () => {
    const staff = await becomeOps(service.url, redis);
    const stream = await follow({}, staff.access_token);
    const other = await follow();
    await redis.admin.set(`curfew:denylist:jti:${claimsOf(staff).jti}`, "why", "EX", 900);
    const isIt = await leave();
    await other.until(isIt);
    await expectEndsSoon(stream);
    expect(stream.messages.filter(isIt)).toEqual([]);
  });

  it("when its token expires", async () => {
    const exp = Math.floor(Date.now() / 1000) + 2;
    const stream = await follow({}, vary(ops.access_token, SECRET, { claims: { exp } }));
    expect(stream.status).toBe(200);
    await stream.ended;
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(exp - 0.1);
    expect(Date.now() / 1000).toBeLessThan(exp + SOON_MS / 1000);
  });

  it("when Redis can't be asked", async () => {
    const stream = await follow();
    process.kill(redis.pid, "SIGSTOP");
    await expectEndsSoon(stream);
    process.kill(redis.pid, "SIGCONT");
    await untilReady(service.url);
  });

  it("when its token is revoked, though its client doesn't read and much waits for it", async () => {
    const staff = await becomeOps(service.url, redis);
    const socket = connect(Number(new URL(service.url).port), "127.0.0.1");
    socket.write(
      `GET /api/ops/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${staff.access_token}\r\n\r\n`,
    );
    await once(socket, "readable");
    // More than what lies between the two can hold, but never much at once.
    const [rounds, note] = [8, "x".repeat(2_000_000)];
    for (let round = 0; round < rounds; round += 1) {
      await redis.admin.xadd("curfew:events", "*", "event", "logout", "note", note);
      await readsDuring(2);
    }
    // Each look for revocations reads onwards and backwards. The stream, which would only read onwards, doesn't.
    const { onwards, backwards } = await readsDuring(6);
    expect(onwards).toBeLessThanOrEqual(backwards);
    const countCutOff = () => service.log.filter(isCutOff).length;
    const before = countCutOff();
    await logout(service.url, staff.access_token);
    await eventually(() => Promise.resolve(countCutOff() > before));
    let received = 0;
    socket.on("data", (chunk) => (received += chunk.length));
    await once(socket, "close");
    expect(received).toBeGreaterThan(0);
    expect(received).toBeLessThan(rounds * note.length);
  });
});

/** How often Redis was asked for events, while it was asked so often for the last ones. */
async function readsDuring(looks: number): Promise<{ onwards: number; backwards: number }> {
  const read = async () => {
    const stats = await redis.admin.info("commandstats");
    const [onwards = 0, backwards = 0] = ["xrange", "xrevrange"].map((name) =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0),
    );
    return { onwards, backwards };
  };
  const before = await read();
  let now = before;
  await eventually(async () => (now = await read()).backwards >= before.backwards + looks);
  return { onwards: now.onwards - before.onwards, backwards: now.backwards - before.backwards };
}

/** A request whose client didn't get all of its answer. */
const isCutOff = (line: string) => line.includes('"path":"/api/ops/events","status":null');

it("is open at most so often at once in an instance, and makes room when somebody leaves", async () => {
  const streams = await Promise.all(Array.from({ length: STREAMS_MAX }, () => follow()));
  expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200));
  const ask = () => call(service.url, "GET", "/api/ops/events?recent=x", { token: ops.access_token });
  expect((await ask()).status).toBe(400);
  const refused = await call(service.url, "GET", "/api/ops/events", { token: ops.access_token });
  expectRefusal(refused, 503, "overloaded");
  streams[0]?.stop();
  await eventually(async () => (await follow()).status === 200);
});

it("doesn't keep its instance from stopping", async () => {
  const stopping = await startService({ REDIS_URL: redis.url, SHUTDOWN_GRACE_MS: "20000" });
  const stream = await openEvents(stopping.url, ops.access_token);
  const startedAt = performance.now();
  const stopped = stopping.stop();
  await expectEndsSoon(stream);
  await stopped;
  expect(performance.now() - startedAt).toBeLessThan(6000);
});

it("ends when the denylist was lost", async () => {
  const stream = await follow();
  expect(stream.status).toBe(200);
  await redis.admin.flushall();
  await expectEndsSoon(stream);
});
