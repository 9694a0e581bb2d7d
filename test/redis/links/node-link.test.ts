import { once } from "node:events";
import type { Redis } from "ioredis";
import { pino } from "pino";
import type { Link } from "../../../src/redis/links/link";
import { linkNode } from "../../../src/redis/links/node-link";
import { createRedis } from "../../../src/redis/redis";
import { eventually } from "../../helpers/client";
import { bulk, holdIntervals, startServer, type FakeServer } from "../../helpers/fake-server";

/** One connection, and what becomes of it. */
const TIMEOUT_MS = 50;
const MASTER = "run_id:a\r\nmaster_replid:b\r\nrole:master\r\n";
const answer = ([name]: string[]) => (name === "info" ? bulk(MASTER) : "+OK\r\n");

let server: FakeServer;
let link: Link;

beforeEach(async () => {
  server = await startServer(answer);
});

afterEach(async () => {
  jest.restoreAllMocks();
  if (link.client.status !== "end") link.close();
  server.stop();
  const { stream } = link.client as Redis;
  await eventually(() => Promise.resolve(stream.closed));
});

function connect(): void {
  const url = `redis://127.0.0.1:${server.port}`;
  const options = { timeoutMs: TIMEOUT_MS, onInfo: () => undefined };
  link = linkNode({ mode: "single", url }, options, pino({ level: "silent" }));
}

const generation = () => link.answerer("")?.generation;
const untilKnown = () => eventually(() => Promise.resolve(generation() !== undefined));
const untilConnected = (times: number) => eventually(() => Promise.resolve(server.sockets.length === times));

it("one that is accepted, and nothing more, is ended, and the next one works", async () => {
  server.answerTo = (words, connection) => (connection === 1 ? undefined : answer(words));
  connect();
  await untilKnown();
  expect(server.sockets).toHaveLength(2);
  expect(link.failure()).toBeUndefined();
});

it("one that the client ended for good is made again, unless it was closed", async () => {
  connect();
  await untilKnown();
  const first = generation();
  link.client.disconnect();
  await once(link.client, "end");
  expect(generation()).toBeUndefined();
  await untilConnected(2);
  await untilKnown();
  expect(generation()).not.toBe(first);
  link.close();
  await once(link.client, "end");
  // Longer than it waits otherwise: of what doesn't happen nothing tells.
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(server.sockets).toHaveLength(2);
});

it("one whose node says READONLY is left at once, and the node no longer known", async () => {
  server.answerTo = (words) => (words[0] === "set" ? "-READONLY You can't write\r\n" : answer(words));
  connect();
  await untilKnown();
  const redis = createRedis(link, undefined, { timeoutMs: TIMEOUT_MS, minReplicas: 0 });
  await expect(redis.probe("probe")).rejects.toMatchObject({ code: "denylist_unavailable" });
  expect(generation()).toBeUndefined();
  expect(link.failure()?.message).toMatch("READONLY");
  await untilConnected(2);
  await untilKnown();
});

it("one whose node says that it is a replica isn't used, and another is looked for", async () => {
  const replica = bulk(MASTER.replace("master\r", "slave\r"));
  server.answerTo = (words, at) => (words[0] === "info" && at === 1 ? replica : answer(words));
  connect();
  await untilKnown();
  expect(server.sockets).toHaveLength(2);
});

it("one whose node doesn't let us ask who it is lives all the same", async () => {
  // As ioredis says itself.
  jest.spyOn(console, "warn").mockImplementation(() => undefined);
  server.answerTo = ([name]) => (name === "info" ? "-NOPERM no permissions\r\n" : "+OK\r\n");
  connect();
  await untilKnown();
  expect(link.answerer("")).toMatchObject({ runId: undefined });
  expect(link.failure()).toBeUndefined();
});

it("one whose node is loading, and says that it will take long, is asked again before long", async () => {
  const loading = bulk(`${MASTER}loading:1\r\nloading_eta_seconds:100\r\n`);
  const infos = () => server.asked.filter(([name]) => name === "info").length;
  server.answerTo = (words) => (words[0] === "info" && infos() === 1 ? loading : answer(words));
  connect();
  await untilKnown();
  expect(server.sockets).toHaveLength(1);
});

it("what was under way when a connection ended isn't sent again over the next one", async () => {
  server.answerTo = (words, connection) => {
    if (words[0] === "set") server.sockets[connection - 1]?.destroy();
    return answer(words);
  };
  connect();
  await untilKnown();
  const redis = createRedis(link, undefined, { timeoutMs: 1000, minReplicas: 0 });
  await expect(redis.probe("probe")).rejects.toMatchObject({ code: "denylist_unavailable" });
  await untilConnected(2);
  await untilKnown();
  expect(server.asked.filter(([name]) => name === "set")).toHaveLength(1);
});

describe("without asking at intervals", () => {
  beforeEach(holdIntervals);
  afterEach(() => jest.useRealTimers());

  it("a connection is known as soon as there is one", async () => {
    connect();
    await untilKnown();
    expect(link.mayForget).toBe(true);
  });

  it("one on which something goes unanswered is asked at once, and destroyed", async () => {
    connect();
    await untilKnown();
    server.answerTo = (words, connection) => (connection === 1 ? undefined : answer(words));
    const redis = createRedis(link, undefined, { timeoutMs: TIMEOUT_MS, minReplicas: 0 });
    await expect(redis.probe("probe")).rejects.toMatchObject({ code: "denylist_unavailable" });
    await untilConnected(2);
    await untilKnown();
  });

  it("one that leads to another node all of a sudden is another's within a second", async () => {
    connect();
    await untilKnown();
    const first = generation();
    server.answerTo = () => bulk(MASTER.replace("run_id:a", "run_id:c"));
    // And a fifth of a second is what looking again takes.
    jest.advanceTimersByTime(800);
    await eventually(() => Promise.resolve(generation() !== first));
    expect(link.answerer("")).toMatchObject({ runId: "c" });
    expect(server.sockets).toHaveLength(1);
  });

  it("one that is closed is asked no more", async () => {
    connect();
    await untilKnown();
    link.close();
    expect(jest.getTimerCount()).toBe(0);
    await once(link.client, "end");
  });
});
