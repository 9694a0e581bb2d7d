import { withBudget } from "../../src/redis/budget";
import { readInfo } from "../../src/redis/info";
import { createRedis } from "../../src/redis/redis";
import { linkTo } from "../helpers/fake-link";

/** What is asked over the one connection, and written over the other, where replicas confirm. */
const TIMEOUT_MS = 250;

function connect(checking = linkTo("a"), confirming = linkTo("a")) {
  const redis = createRedis(checking, confirming, { timeoutMs: TIMEOUT_MS, minReplicas: 1 });
  const run = () => redis.runConfirmed({ lua: "", sha1: "sha1" }, ["key"], { name: "value" }, "touch");
  return { redis, run, checking, confirming };
}

const names = (sent: unknown[][]) => sent.map(([name]) => name);
const REFUSED = { code: "denylist_unavailable" };

describe("who answers", () => {
  it("is known of each connection where both lead to one node, and each is asked by its own", async () => {
    const { redis, checking, confirming } = connect();
    expect(redis.ways).toEqual(["checking", "confirming"]);
    confirming.answerer = () => ({
      generation: "2",
      runId: "a",
      steadyLead: { leastMs: 1, mostMs: 2, askedMs: 0 },
    });
    expect(redis.ways.map((way) => redis.generation(way, ""))).toEqual(["of a", "2"]);
    expect(redis.ways.map((way) => redis.steadyLead(way, "")?.leastMs)).toEqual([undefined, 1]);
    const asked = redis.ways.map((way) => redis.askBy(way, "", (client) => Promise.resolve(client)));
    expect(await Promise.all(asked)).toEqual([checking.client, confirming.client]);
  });

  it("isn't where they lead to two: nothing is asked of either", async () => {
    const { redis } = connect(linkTo("a"), linkTo("b"));
    const ask = jest.fn(() => Promise.resolve());
    for (const way of redis.ways) {
      expect(redis.generation(way, "")).toBeUndefined();
      await expect(redis.askBy(way, "", ask)).rejects.toMatchObject(REFUSED);
    }
    expect(ask).not.toHaveBeenCalled();
  });

  it("is found out before that is judged", async () => {
    const { redis, confirming } = connect(linkTo("a"), linkTo(undefined));
    confirming.meet = () => {
      confirming.answerer = linkTo("b").answerer;
      return Promise.resolve();
    };
    const ask = jest.fn(() => Promise.resolve());
    await expect(redis.askBy("confirming", "", ask)).rejects.toMatchObject(REFUSED);
    expect(ask).not.toHaveBeenCalled();
  });

  it("is taken for one where a node doesn't say who it is", async () => {
    const { redis } = connect(linkTo("a"), linkTo(undefined));
    expect(redis.generation("checking", "")).toBe("of a");
    expect(await redis.askBy("confirming", "", () => Promise.resolve("answer"))).toBe("answer");
  });
});

describe("a write that replicas confirm", () => {
  it("is followed by one that always writes, and only then by WAIT, on its own connection", async () => {
    const { run, checking, confirming } = connect();
    expect(await run()).toBe("done");
    expect(checking.sent).toEqual([]);
    expect(confirming.sent).toEqual([
      ["evalsha", "sha1", 1, "key", "name", "value"],
      ["set", "touch", "", "PX", 60_000],
      ["wait", 1, expect.any(Number)],
    ]);
  });

  it("is none where too few do, and neither is a probe", async () => {
    const { redis, run, confirming } = connect(linkTo("a"), linkTo("a", 0));
    const refused = { ...REFUSED, cause: { code: "TOO_FEW_REPLICAS" } };
    await expect(run()).rejects.toMatchObject(refused);
    await expect(redis.probe("probe")).rejects.toMatchObject(refused);
    expect(names(confirming.sent)).toEqual(["evalsha", "set", "wait", "set", "wait"]);
    expect(confirming.sent[3]?.[1]).toBe("probe");
  });

  it("isn't done where its script fails, though replicas confirm what was written before", async () => {
    const { run, confirming } = connect();
    const cause = new Error("ERR it did half of it");
    confirming.replies["evalsha"] = cause;
    await expect(run()).rejects.toMatchObject({ ...REFUSED, cause });
    expect(confirming.blamed).toHaveLength(1);
  });

  it("waits a little less than the request has left, and never for ever", async () => {
    jest.useFakeTimers();
    const { redis, confirming } = connect();
    for (const left of [TIMEOUT_MS, 100, 1, 0.5]) await withBudget(left, () => redis.probe("probe"));
    const waits = confirming.sent.filter(([name]) => name === "wait");
    expect(waits.map(([, , ms]) => ms)).toEqual([225, 90, 1, 1]);
    jest.useRealTimers();
  });
});

it("warnings of clocks are those of any node, each told once", () => {
  const { redis, checking } = connect();
  checking.infos = () => [readInfo("connected_slaves:0\nmaxmemory_policy:noeviction\naof_enabled:1\n")];
  const behind = { leastMs: -9000, mostMs: -9000 };
  checking.wallLeads = () => [{ leastMs: 0, mostMs: 0 }, behind, behind];
  expect(redis.warnings().map(({ code }) => code)).toEqual(["too_few_replicas", "clock_skew"]);
});

it("what fails is told to the connection that it failed on", async () => {
  const { redis, checking, confirming } = connect(linkTo("a"), linkTo("a", 0));
  await expect(redis.probe("probe")).rejects.toMatchObject(REFUSED);
  expect(checking.blamed).toEqual([]);
  expect(confirming.blamed).toHaveLength(1);
});

it("the first contact is made when both have made it", async () => {
  const refused = new Error("WRONGPASS");
  const confirming = { ...linkTo("a"), firstContact: Promise.reject(refused) };
  await expect(connect(linkTo("a"), confirming).redis.firstContact).rejects.toBe(refused);
});

it("both are closed", () => {
  const closed: string[] = [];
  const ending = (way: string) => ({ ...linkTo("a"), close: () => void closed.push(way) });
  connect(ending("checking"), ending("confirming")).redis.close();
  expect(closed).toEqual(["checking", "confirming"]);
});
