import { EventEmitter } from "node:events";
import type { Redis as Node } from "ioredis";
import { withBudget } from "../../../src/redis/budget";
import type { Moment } from "../../../src/redis/clock";
import type { Info } from "../../../src/redis/info";
import { watchPulse } from "../../../src/redis/links/pulse";

/** How a connection is asked how Redis is, and what becomes of one on which nothing comes back. */
const TIMEOUT_MS = 300;
const LIMIT_MS = 1200;

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const after = (ms: number, text: string) => new Promise<string>((resolve) => setTimeout(resolve, ms, text));

function watch(answer: () => Promise<string> = () => Promise.resolve("run_id:a")) {
  const node = Object.assign(new EventEmitter(), {
    status: "ready",
    stream: { destroy: jest.fn() },
    info: jest.fn(answer),
  });
  const told: { info: Info; tookMs: number }[] = [];
  const onBeat = (info: Info, asked: Moment, answered: Moment) => {
    told.push({ info, tookMs: answered.wallMs - asked.wallMs });
  };
  const pulse = watchPulse(node as unknown as Node, TIMEOUT_MS, onBeat);
  return { node, told, ...pulse };
}

it("it is asked before a second is over, again and again, and once more when it is to be", async () => {
  const { node, told, beat } = watch();
  await pass(2100);
  expect(node.info).toHaveBeenCalledTimes(3);
  await beat();
  expect(told).toHaveLength(4);
  expect(told[0]?.info.runId).toBe("a");
});

it("is asked nothing while it isn't ready", async () => {
  const { node, beat } = watch();
  node.status = "reconnecting";
  await beat();
  await pass(700);
  expect(node.info).not.toHaveBeenCalled();
});

it("isn't asked again before it has answered, and whoever asks waits for that answer", async () => {
  const { node, told, beat } = watch(() => after(1000, ""));
  const both = Promise.all([beat(), beat()]);
  await pass(1000);
  await both;
  expect(node.info).toHaveBeenCalledTimes(1);
  expect(told).toHaveLength(1);
});

it("its answer is told with when it was asked, and when it came", async () => {
  const { told, beat } = watch(() => after(40, ""));
  void beat();
  await pass(40);
  expect(told.map(({ tookMs }) => tookMs)).toEqual([40]);
});

it.each([
  ["of a connection that another has taken the place of", { stream: { destroy: jest.fn() } }],
  ["of one that is ending", { status: "reconnecting" }],
])("an answer %s is told to nobody", async (_title, next) => {
  const { node, told, beat } = watch(() => after(40, ""));
  void beat();
  Object.assign(node, next);
  await pass(40);
  expect(told).toEqual([]);
});

it("has all its time, though a request has none left that led to it", async () => {
  const { node, told, beat } = watch(() => after(LIMIT_MS - 1, ""));
  void withBudget(0, beat);
  await pass(LIMIT_MS);
  expect(told).toHaveLength(1);
  expect(node.stream.destroy).not.toHaveBeenCalled();
});

it("one that doesn't answer in time is destroyed, and asked again", async () => {
  const { node, told } = watch(() => after(2 * LIMIT_MS, ""));
  await pass(700 + LIMIT_MS - 1);
  expect(node.stream.destroy).not.toHaveBeenCalled();
  await pass(2);
  expect(node.stream.destroy).toHaveBeenCalledTimes(1);
  expect(told).toEqual([]);
  await pass(700);
  expect(node.info).toHaveBeenCalledTimes(2);
});

it("one that may not be asked lives, and says nothing; what fails otherwise tells nothing", async () => {
  const { node, told, beat } = watch(() => Promise.reject(new Error("NOPERM this user has no permissions")));
  await beat();
  expect(told.map(({ info }) => info.runId)).toEqual([undefined]);
  node.info.mockRejectedValue(new Error("LOADING"));
  await beat();
  expect(told).toHaveLength(1);
  expect(node.stream.destroy).not.toHaveBeenCalled();
});

describe("one that was accepted", () => {
  const accept = (status: string) => {
    const { node } = watch();
    node.status = "connect";
    node.emit("connect");
    const { stream } = node;
    node.status = status;
    return { node, stream };
  };

  it("and nothing more is destroyed when the time is up", async () => {
    const { stream } = accept("connect");
    await pass(LIMIT_MS - 1);
    expect(stream.destroy).not.toHaveBeenCalled();
    await pass(1);
    expect(stream.destroy).toHaveBeenCalledTimes(1);
  });

  it("and is ready isn't, and neither is one that took its place", async () => {
    const { stream } = accept("ready");
    const { node, stream: ended } = accept("connect");
    node.stream = { destroy: jest.fn() };
    await pass(LIMIT_MS);
    for (const each of [stream, ended, node.stream]) expect(each.destroy).not.toHaveBeenCalled();
  });
});

it("stops when it is told to", async () => {
  const { node, stop } = watch();
  stop();
  await pass(60_000);
  expect(node.info).not.toHaveBeenCalled();
  expect(jest.getTimerCount()).toBe(0);
});
