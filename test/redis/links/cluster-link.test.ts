import { Cluster } from "ioredis";
import { pino } from "pino";
import { linkCluster } from "../../../src/redis/links/cluster-link";
import type { Link } from "../../../src/redis/links/link";
import { createRedis } from "../../../src/redis/redis";
import { eventually } from "../../helpers/client";
import { bulk, holdIntervals, startServer, type FakeServer } from "../../helpers/fake-server";

/** Connections to the primaries of a cluster, and who answers for a slot. */
const TIMEOUT_MS = 50;
/** A key in the first half of the slots, and one in the second. */
const [LOW, HIGH] = ["b", "a"];

let link: Link;
let nodes: FakeServer[];
/** Which node has the first half of the slots, and which the second; each has the third for a replica. */
let owners: [number, number];
/** Another than they know of themselves. */
let moved: number | undefined;

function nodeAt(at: number): FakeServer {
  const node = nodes[at];
  if (!node) throw new Error("there is none");
  return node;
}

const hostOf = (at: number) => `*3\r\n${bulk("127.0.0.1")}:${nodeAt(at).port}\r\n${bulk(`id-${at}`)}`;
const slotsOf = (from: number, to: number, at: number) =>
  `*4\r\n:${from}\r\n:${to}\r\n${hostOf(at)}${hostOf(2)}`;

const answerOf =
  (at: number) =>
  ([name = "", second = ""]: string[]) => {
    if (name === "info") return bulk(`run_id:${at}\r\nmaster_replid:b\r\nrole:master\r\n`);
    if (name === "cluster" && second === "slots") {
      return `*2\r\n${slotsOf(0, 8191, owners[0])}${slotsOf(8192, 16_383, owners[1])}`;
    }
    if (name === "cluster") return bulk("cluster_state:ok");
    if (name !== "exists") return "+OK\r\n";
    return moved === undefined || moved === at ? ":0\r\n" : `-MOVED 3300 127.0.0.1:${nodeAt(moved).port}\r\n`;
  };

beforeEach(async () => {
  holdIntervals();
  owners = [0, 1];
  moved = undefined;
  nodes = await Promise.all([0, 1, 2].map((at) => startServer(answerOf(at))));
  await connect({
    ...{ mode: "cluster", username: undefined, password: undefined, db: 0, hasTls: false },
    nodes: [{ host: "127.0.0.1", port: nodeAt(0).port }],
  });
});

async function connect(address: Parameters<typeof linkCluster>[0]): Promise<void> {
  const options = { timeoutMs: TIMEOUT_MS, onInfo: () => undefined };
  link = linkCluster(address, options, pino({ level: "silent" }));
  await link.firstContact;
}

afterEach(async () => {
  jest.useRealTimers();
  link.close();
  await untilTrue(() => nodes.every(({ sockets }) => sockets.every(({ destroyed }) => destroyed)));
  for (const node of nodes) node.stop();
});

const runIdOf = (key: string) => link.answerer(key)?.runId;
const generationOf = (key: string) => link.answerer(key)?.generation;
const askedOf = (at: number, name: string) => nodeAt(at).asked.filter(([word]) => word === name).length;

const untilTrue = (condition: () => boolean) => eventually(() => Promise.resolve(condition()));

/** It fails at first: nobody was connected to that node. */
const untilTaken = () =>
  eventually(() =>
    link.client.exists(LOW).then(
      () => true,
      () => false,
    ),
  );

it("at the first contact every primary is known, each for its own slots", () => {
  expect([runIdOf(LOW), runIdOf(HIGH)]).toEqual(["0", "1"]);
  expect(link.infos().map(({ runId }) => runId)).toEqual(["0", "1"]);
  expect(link.mayForget).toBe(true);
});

describe("after a slot was handed to another node", () => {
  it("that one answers for it as soon as a command was sent there, and has another generation", async () => {
    const before = generationOf(LOW);
    moved = 1;
    expect(runIdOf(LOW)).toBe("0");
    await link.client.exists(LOW);
    expect(runIdOf(LOW)).toBe("1");
    expect(generationOf(LOW)).toBe(generationOf(HIGH));
    expect(generationOf(LOW)).not.toBe(before);
  });

  it("whoever took it is asked who it is before it is asked anything else", async () => {
    [owners, moved] = [[2, 1], 2];
    await untilTaken();
    const names = nodeAt(2).asked.map(([name]) => name);
    // ioredis asks once for itself.
    const before = names.slice(0, names.indexOf("exists"));
    expect(before.filter((name) => name === "info")).toHaveLength(2);
    await untilTrue(() => runIdOf(LOW) === "2");
  });

  it("whoever took it, and can't say yet who it is, is asked again by whoever has to know", async () => {
    const asked: number[] = [];
    nodeAt(2).answerTo = (words, connection) => {
      // The first time ioredis asks for itself.
      const isSecond = words[0] === "info" && asked.filter((each) => each === connection).length === 1;
      if (words[0] === "info") asked.push(connection);
      return isSecond ? "-LOADING\r\n" : answerOf(2)(words);
    };
    [owners, moved] = [[2, 1], 2];
    await untilTaken();
    expect(generationOf(LOW)).toBeUndefined();
    await link.meet(LOW);
    expect(runIdOf(LOW)).toBe("2");
  });

  it("whoever took it is found out by the next look at the slots, though nobody asks", async () => {
    owners = [2, 1];
    await untilTrue(() => runIdOf(LOW) === "2");
    expect(askedOf(2, "exists")).toBe(0);
  });
});

it("whom we know already isn't asked again who it is", async () => {
  const asked = askedOf(0, "info");
  await link.meet(LOW);
  expect(askedOf(0, "exists")).toBe(0);
  expect(askedOf(0, "info")).toBe(asked);
});

it("whose connection ended isn't known until there is another, and then is another", async () => {
  const before = generationOf(LOW);
  for (const socket of nodeAt(0).sockets) socket.destroy();
  await untilTrue(() => generationOf(LOW) === undefined);
  expect(runIdOf(HIGH)).toBe("1");
  await eventually(() =>
    link.meet(LOW).then(
      () => runIdOf(LOW) === "0",
      () => false,
    ),
  );
  expect(generationOf(LOW)).not.toBe(before);
  expect(nodes.some((_node, at) => askedOf(at, "exists") > 0)).toBe(true);
});

it("nor is one who is connected to anew, as an app may have its cluster do, the one from before", async () => {
  link.close();
  const cluster = new Cluster([{ host: "127.0.0.1", port: nodeAt(0).port }], {
    lazyConnect: true,
    clusterNodeRetryStrategy: () => 10,
  });
  await connect({ mode: "app-cluster", cluster });
  const before = generationOf(LOW);
  for (const socket of nodeAt(0).sockets) socket.destroy();
  await untilTrue(() => generationOf(LOW) !== before);
  await untilTrue(() => runIdOf(LOW) === "0");
  expect(generationOf(LOW)).not.toBe(before);
});

it("who is a replica again isn't told, where we asked it, that we would read from it", async () => {
  const heard: [word: string, connection: number][] = [];
  nodeAt(2).answerTo = (words, connection) => {
    heard.push([words[0] ?? "", connection]);
    return answerOf(2)(words);
  };
  moved = 2;
  await untilTaken();
  moved = undefined;
  const looks = () => nodes.reduce((sum, _node, at) => sum + askedOf(at, "cluster"), 0);
  const before = looks();
  await untilTrue(() => looks() > before + 1);
  const [, ours] = heard.find(([word]) => word === "exists") ?? [];
  const said = heard.filter(([, connection]) => connection === ours).map(([word]) => word);
  expect(said).toContain("exists");
  expect(said).not.toContain("readonly");
});

it("what was under way when a connection ended isn't sent again: it may have been done", async () => {
  nodeAt(0).answerTo = ([name = ""]) => {
    if (name === "exists") for (const socket of nodeAt(0).sockets) socket.destroy();
    return undefined;
  };
  await expect(link.client.exists(LOW)).rejects.toThrow("Connection is closed");
  expect(nodes.map((_node, at) => askedOf(at, "exists"))).toEqual([1, 0, 0]);
});

it("a node on which something goes unanswered is asked how it is, and left if it doesn't say", async () => {
  const { sockets, answerTo } = nodeAt(0);
  const last = sockets.length;
  nodeAt(0).answerTo = (words, at) => (at <= last ? undefined : answerTo(words, at));
  const redis = createRedis(link, undefined, { timeoutMs: TIMEOUT_MS, minReplicas: 0 });
  const asked = redis.ask((client) => client.exists(LOW));
  await expect(asked).rejects.toMatchObject({ code: "denylist_unavailable" });
  await untilTrue(() => generationOf(LOW) === undefined);
  await untilTrue(() => runIdOf(LOW) === "0");
});

it("a node that is gone, or a link that was closed, is asked no more", async () => {
  expect(jest.getTimerCount()).toBe(3);
  nodeAt(0).stop();
  await untilTrue(() => jest.getTimerCount() === 2);
  link.close();
  await untilTrue(() => jest.getTimerCount() === 0);
});
