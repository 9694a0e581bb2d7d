import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Redis } from "ioredis";
import { pino } from "pino";
import type { Link } from "../../../src/redis/links/link";
import { linkNode } from "../../../src/redis/links/node-link";
import { createRedis } from "../../../src/redis/redis";
import { eventually } from "../../helpers/client";

/** One connection, and what becomes of it. */
const TIMEOUT_MS = 50;
const MASTER = "run_id:a\r\nmaster_replid:b\r\nrole:master\r\n";
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

let server: Server;
let link: Link;
/** All that there were, in order. */
let sockets: Socket[];
/** To a command on a connection, the first being 1; undefined is none. */
let answerTo: (command: string, connection: number) => string | undefined;

beforeEach(async () => {
  sockets = [];
  answerTo = (command) => (command === "info" ? bulk(MASTER) : "+OK\r\n");
  server = createServer((socket) => {
    const connection = sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      // Each begins with how many words it has.
      for (const [, command = ""] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        const answer = answerTo(command.toLowerCase(), connection);
        if (answer !== undefined) socket.write(answer);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  jest.restoreAllMocks();
  if (link.client.status !== "end") link.close();
  for (const socket of sockets) socket.destroy();
  server.close();
  const { stream } = link.client as Redis;
  await eventually(() => Promise.resolve(stream.closed));
});

function connect(): void {
  const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { timeoutMs: TIMEOUT_MS, onInfo: () => undefined };
  link = linkNode({ mode: "single", url }, options, pino({ level: "silent" }));
}

const generation = () => link.answerer("")?.generation;
const untilKnown = () => eventually(() => Promise.resolve(generation() !== undefined));
const untilConnected = (times: number) => eventually(() => Promise.resolve(sockets.length === times));

it("one that is accepted, and nothing more, is ended, and the next one works", async () => {
  answerTo = (command, connection) =>
    connection === 1 ? undefined : command === "info" ? bulk(MASTER) : "+OK\r\n";
  connect();
  await untilKnown();
  expect(sockets).toHaveLength(2);
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
  expect(sockets).toHaveLength(2);
});

it("one whose node says READONLY is left at once, and the node no longer known", async () => {
  const normal = answerTo;
  answerTo = (command, at) => (command === "set" ? "-READONLY You can't write\r\n" : normal(command, at));
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
  const normal = answerTo;
  answerTo = (command, at) =>
    command === "info" && at === 1 ? bulk(MASTER.replace("master\r", "slave\r")) : normal(command, at);
  connect();
  await untilKnown();
  expect(sockets).toHaveLength(2);
});

it("one whose node doesn't let us ask who it is lives all the same", async () => {
  // As ioredis says itself.
  jest.spyOn(console, "warn").mockImplementation(() => undefined);
  answerTo = (command) => (command === "info" ? "-NOPERM no permissions\r\n" : "+OK\r\n");
  connect();
  await untilKnown();
  expect(link.answerer("")).toMatchObject({ runId: undefined });
  expect(link.failure()).toBeUndefined();
});

describe("without asking at intervals", () => {
  // All the timers but this one have their own time: these connections are real.
  const NOT_FAKED = ["Date", "performance", "nextTick", "setImmediate", "setTimeout"] as const;
  const OTHERS = ["clearImmediate", "clearTimeout", "queueMicrotask", "hrtime"] as const;
  beforeEach(() => jest.useFakeTimers({ doNotFake: [...NOT_FAKED, ...OTHERS] }));
  afterEach(() => jest.useRealTimers());

  it("a connection is known as soon as there is one", async () => {
    connect();
    await untilKnown();
    expect(link.mayForget).toBe(true);
  });

  it("one on which something goes unanswered is asked at once, and destroyed", async () => {
    connect();
    await untilKnown();
    const normal = answerTo;
    answerTo = (command, at) => (at === 1 ? undefined : normal(command, at));
    const redis = createRedis(link, undefined, { timeoutMs: TIMEOUT_MS, minReplicas: 0 });
    await expect(redis.probe("probe")).rejects.toMatchObject({ code: "denylist_unavailable" });
    await untilConnected(2);
    await untilKnown();
  });

  it("one that leads to another node all of a sudden is another's within a second", async () => {
    connect();
    await untilKnown();
    const first = generation();
    answerTo = () => bulk(MASTER.replace("run_id:a", "run_id:c"));
    // And a fifth of a second is what looking again takes.
    jest.advanceTimersByTime(800);
    await eventually(() => Promise.resolve(generation() !== first));
    expect(link.answerer("")).toMatchObject({ runId: "c" });
    expect(sockets).toHaveLength(1);
  });

  it("one that is closed is asked no more", async () => {
    connect();
    await untilKnown();
    link.close();
    expect(jest.getTimerCount()).toBe(0);
    await once(link.client, "end");
  });
});
