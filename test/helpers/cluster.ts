import { freePort, onlineReplicas, startRedis, untilAgreed, type TestRedis } from "./redis";

/** Three primaries, each with a replica, that share the slots among them. */
export type TestCluster = {
  /** As a service connects: every node, with Redis's user and password. */
  url: string;
  nodes: TestRedis[];
  /** The primary that has a key, as the first node to answer sees it. */
  primaryOf: (key: string) => Promise<TestRedis>;
  slotOf: (key: string) => Promise<number>;
  replicaOf(primary: TestRedis): Promise<TestRedis>;
  /** Hands a slot and its keys from one primary to another, as redis-cli would: one key at a time. */
  moveSlot(slot: number, from: TestRedis, to: TestRedis): Promise<void>;
  /** Resolves when all nodes see the same three primaries, each with a replica that follows it. */
  untilSettled: () => Promise<void>;
  stop: () => Promise<void>;
};

type Member = { node: TestRedis; busPort: number };
type SlotRange = [from: number, to: number, primary: [ip: string, port: number]];

const PRIMARIES = 3;
const SLOTS = 16_384;

type Options = { options?: string[]; haveOwnClocks?: boolean };

export async function startCluster({
  options = [],
  haveOwnClocks = false,
}: Options = {}): Promise<TestCluster> {
  const members = await Promise.all(
    Array.from({ length: 2 * PRIMARIES }, () => startMember(options, haveOwnClocks)),
  );
  const nodes = members.map(({ node }) => node);
  await form(members);

  function nodeAt(port: number): TestRedis {
    const node = nodes.find((each) => each.port === port);
    if (!node) throw new Error(`the cluster names a stranger: ${port}`);
    return node;
  }

  const slotOf = (key: string) =>
    Promise.any(nodes.map(async ({ admin }) => Number(await admin.call("CLUSTER", "KEYSLOT", key))));

  const untilSettled = () => untilAgreed(() => isSettled(nodes));
  await untilSettled();
  return {
    url: nodes[0]?.url.replace(/[^@]+$/, nodes.map(({ port }) => `127.0.0.1:${port}`).join()) ?? "",
    nodes,
    async primaryOf(key) {
      const slot = await slotOf(key);
      const ranges = await Promise.any(nodes.map(readRanges));
      const range = ranges.find(([from, to]) => from <= slot && slot <= to);
      if (!range) throw new Error(`nobody has slot ${slot}`);
      return nodeAt(range[2][1]);
    },
    slotOf,
    async replicaOf(primary) {
      const info = await primary.admin.info("replication");
      return nodeAt(Number(/^slave0:.*port=(\d+)/m.exec(info)?.[1]));
    },
    async moveSlot(slot, from, to) {
      const [source, target] = await Promise.all(
        [from, to].map(async ({ admin }) => String(await admin.call("CLUSTER", "MYID"))),
      );
      await to.admin.call("CLUSTER", "SETSLOT", slot, "IMPORTING", String(source));
      await from.admin.call("CLUSTER", "SETSLOT", slot, "MIGRATING", String(target));
      for (;;) {
        const [key] = (await from.admin.call("CLUSTER", "GETKEYSINSLOT", slot, 1)) as string[];
        if (key === undefined) break;
        const { username, password } = new URL(from.url.replace("curfew:", "admin:"));
        const options = ["REPLACE", "AUTH2", username, password, "KEYS", key];
        await from.admin.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, ...options);
      }
      for (const { admin } of [to, from])
        await admin.call("CLUSTER", "SETSLOT", slot, "NODE", String(target));
    },
    untilSettled,
    async stop() {
      await Promise.all(nodes.map((each) => each.stop()));
    },
  };
}

/** The bus has a port of its own, because 10,000 above the other may be taken, or too high. */
async function startMember(options: string[], hasOwnClock: boolean): Promise<Member> {
  const busPort = await freePort();
  const own = [
    "--cluster-enabled yes",
    `--cluster-port ${busPort}`,
    "--cluster-node-timeout 1000",
    // Each primary keeps its replica.
    "--cluster-allow-replica-migration no",
    "--repl-diskless-sync-delay 0",
  ];
  const node = await startRedis([...own, ...options], { hasOwnClock });
  return { node, busPort };
}

async function form(members: Member[]): Promise<void> {
  const nodes = members.map(({ node }) => node);
  const [first, ...others] = members;
  for (const [at, { admin }] of nodes.entries()) {
    await admin.call("CLUSTER", "SET-CONFIG-EPOCH", at + 1);
    if (at >= PRIMARIES) continue;
    const [from, to] = [at, at + 1].map((share) => Math.floor((share * SLOTS) / PRIMARIES)) as [
      number,
      number,
    ];
    await admin.call("CLUSTER", "ADDSLOTSRANGE", from, to - 1);
  }
  for (const { node, busPort } of others) {
    await first?.node.admin.call("CLUSTER", "MEET", "127.0.0.1", node.port, busPort);
  }
  await untilAgreed(async () => (await Promise.all(nodes.map(knowsAll(nodes.length)))).every(Boolean));
  for (const [at, { admin }] of nodes.entries()) {
    const primary = nodes[at - PRIMARIES];
    if (primary)
      await admin.call("CLUSTER", "REPLICATE", String(await primary.admin.call("CLUSTER", "MYID")));
  }
}

const knowsAll =
  (count: number) =>
  async ({ admin }: TestRedis) => {
    const lines = String(await admin.call("CLUSTER", "NODES"))
      .trim()
      .split("\n");
    return lines.length === count && !lines.some((line) => /handshake|noaddr|fail/.test(line));
  };

async function isSettled(nodes: TestRedis[]): Promise<boolean> {
  const replicas = await Promise.all(nodes.map(onlineReplicas));
  const isWhole = await Promise.all(nodes.map(knowsAll(nodes.length)));
  const infos = await Promise.all(nodes.map(({ admin }) => admin.call("CLUSTER", "INFO")));
  const views = await Promise.all(nodes.map(readRanges));
  const owners = views.map((ranges) =>
    ranges
      .map(([from, to, [, port]]) => `${from}-${to} ${port}`)
      .sort()
      .join(),
  );
  return (
    replicas.filter((count) => count === 1).length === PRIMARIES &&
    isWhole.every(Boolean) &&
    infos.every((info) => String(info).includes("cluster_state:ok")) &&
    new Set(owners).size === 1
  );
}

const readRanges = async ({ admin }: TestRedis) => (await admin.call("CLUSTER", "SLOTS")) as SlotRange[];
