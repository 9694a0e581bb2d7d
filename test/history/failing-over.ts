import { startCluster } from "../helpers/cluster";
import { untilAgreed, type TestRedis } from "../helpers/redis";
import { startSentinel } from "../helpers/sentinel";
import { clockOfNextIsAhead, clockSteps } from "./clocks";
import { backupIsRestored } from "./restores";
import { connectionsEnd, KEEPS_ALL, scriptsAreForgotten } from "./single";
import { AFTER_RECONNECT_MS, type Fault, type Hands, type World } from "./world";

/** Several nodes, of which each can become a primary. */
type Nodes = {
  nodes: TestRedis[];
  primaryOf: (key: string) => Promise<TestRedis>;
  restartReplica: (node: TestRedis) => Promise<void>;
  untilSettled: () => Promise<void>;
  haveForgotten?: (nodes: readonly TestRedis[]) => Promise<void>;
  /** After a backup was restored to a node. */
  beginEpoch?: (node: TestRedis) => Promise<void>;
  /** For what goes back in time or out of step while a connection is gone. */
  allowanceMs: number;
};

/** A primary and two replicas, watched by three sentinels. */
export async function startSentinelWorld(
  services: number,
  { mayTrack } = { mayTrack: false },
): Promise<World> {
  const sentinel = await startSentinel({ options: KEEPS_ALL, haveOwnClocks: true, mayTrack });
  const environment = {
    REDIS_MODE: "sentinel",
    REDIS_SENTINEL_NAME: sentinel.name,
    REDIS_URL: sentinel.url,
    REVOKE_MIN_REPLICAS: "1",
  };
  const { nodes, untilSettled, primary, stop } = sentinel;
  const restartReplica = async (node: TestRedis) =>
    node.start([`--replicaof 127.0.0.1 ${(await primary()).port}`]);
  const allowanceMs = AFTER_RECONNECT_MS.node;
  const faults = faultsOf({ nodes, untilSettled, primaryOf: primary, restartReplica, allowanceMs });
  return { environments: Array<NodeJS.ProcessEnv>(services).fill(environment), faults, mayLose: true, stop };
}

/** Three primaries, each with a replica. */
export async function startClusterWorld(services: number): Promise<World> {
  const cluster = await startCluster({ options: KEEPS_ALL, haveOwnClocks: true });
  const environment = { REDIS_MODE: "cluster", REDIS_URL: cluster.url, REVOKE_MIN_REPLICAS: "1" };
  const faults = faultsOf({
    ...cluster,
    restartReplica: (node) => node.start(),
    async beginEpoch({ admin }) {
      // Where another has taken its place by now it refuses, and nothing of what was restored counts.
      for (const key of await admin.keys("*denylist:epoch")) await admin.del(key).catch(() => undefined);
    },
    // Until the hour at which it last stood for election, or saw another node fail, a node does neither again.
    async haveForgotten(nodes) {
      for (const node of nodes) {
        await node.kill();
        await node.start();
        await cluster.untilSettled();
      }
    },
    allowanceMs: AFTER_RECONNECT_MS.cluster,
  });
  return {
    environments: Array<NodeJS.ProcessEnv>(services).fill(environment),
    faults,
    mayLose: true,
    stop: cluster.stop,
  };
}

function faultsOf({ nodes, primaryOf, restartReplica, untilSettled, ...more }: Nodes): Fault[] {
  const { allowanceMs, beginEpoch, haveForgotten = () => Promise.resolve() } = more;
  const aPrimary = ({ random }: Hands) => primaryOf(`key ${random.next()}`);

  async function untilReplaced(
    hands: Hands,
    breakIt: (primary: TestRedis) => Promise<void> | true,
  ): Promise<TestRedis> {
    const key = `key ${hands.random.next()}`;
    const primary = await primaryOf(key);
    await breakIt(primary);
    await untilAgreed(async () => (await primaryOf(key)) !== primary);
    return primary;
  }

  async function replicas(): Promise<TestRedis[]> {
    const are = await Promise.all(nodes.map(isReplica));
    return nodes.filter((_, at) => are[at]);
  }

  return [
    {
      name: "a primary is killed, replaced, and started again",
      async strike(hands) {
        const primary = await untilReplaced(hands, (node) => node.kill());
        await hands.hold();
        await primary.start();
        await untilSettled();
      },
    },
    {
      name: "a primary hangs, is replaced, and wakes up",
      async strike(hands) {
        const primary = await untilReplaced(hands, ({ pid }) => process.kill(pid, "SIGSTOP"));
        await hands.hold();
        process.kill(primary.pid, "SIGCONT");
        await untilSettled();
      },
    },
    {
      name: "a primary hangs, and wakes up in time",
      async strike(hands) {
        const { pid } = await aPrimary(hands);
        process.kill(pid, "SIGSTOP");
        await hands.hold();
        process.kill(pid, "SIGCONT");
        await untilSettled();
      },
    },
    {
      name: "a primary is killed, and started again at once",
      async strike(hands) {
        const primary = await aPrimary(hands);
        await primary.kill();
        await primary.start();
        await untilSettled();
      },
    },
    {
      name: "a replica is killed, and started again",
      async strike({ random, hold }) {
        const replica = random.pick(await replicas());
        await replica?.kill();
        await hold();
        if (replica) await restartReplica(replica);
        await untilSettled();
      },
    },
    connectionsEnd(aPrimary),
    scriptsAreForgotten(nodes),
    backupIsRestored(aPrimary, allowanceMs, beginEpoch),
    // In a cluster the others' denylists go on.
    clockSteps(aPrimary, "loss", haveForgotten),
    clockOfNextIsAhead({
      nodes,
      replicas,
      replace: (hands) => untilReplaced(hands, (node) => node.kill()),
      untilSettled,
      haveForgotten,
      allowanceMs,
    }),
  ];
}

const isReplica = async ({ admin }: TestRedis) => (await admin.info("replication")).includes("role:slave");
