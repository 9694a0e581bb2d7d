import { startCluster } from "../helpers/cluster";
import { untilAgreed, type TestRedis } from "../helpers/redis";
import { startSentinel } from "../helpers/sentinel";
import { connectionsEnd, KEEPS_ALL, scriptsAreForgotten } from "./single";
import type { Fault, Hands, World } from "./world";

/** Several nodes, of which each can become a primary. */
type Nodes = {
  nodes: TestRedis[];
  primaryOf: (key: string) => Promise<TestRedis>;
  restartReplica: (node: TestRedis) => Promise<void>;
  untilSettled: () => Promise<void>;
};

/** A primary and two replicas, watched by three sentinels. */
export async function startSentinelWorld(services: number): Promise<World> {
  const sentinel = await startSentinel({ options: KEEPS_ALL });
  const environment = {
    REDIS_MODE: "sentinel",
    REDIS_SENTINEL_NAME: sentinel.name,
    REDIS_URL: sentinel.url,
    REVOKE_MIN_REPLICAS: "1",
  };
  const { nodes, untilSettled, primary, stop } = sentinel;
  const restartReplica = async (node: TestRedis) =>
    node.start([`--replicaof 127.0.0.1 ${(await primary()).port}`]);
  const faults = faultsOf({ nodes, untilSettled, primaryOf: primary, restartReplica });
  return { environments: Array<NodeJS.ProcessEnv>(services).fill(environment), faults, mayLose: true, stop };
}

/** Three primaries, each with a replica. */
export async function startClusterWorld(services: number): Promise<World> {
  const cluster = await startCluster({ options: KEEPS_ALL });
  const environment = { REDIS_MODE: "cluster", REDIS_URL: cluster.url, REVOKE_MIN_REPLICAS: "1" };
  const faults = faultsOf({ ...cluster, restartReplica: (node) => node.start() });
  return {
    environments: Array<NodeJS.ProcessEnv>(services).fill(environment),
    faults,
    mayLose: true,
    stop: cluster.stop,
  };
}

function faultsOf({ nodes, primaryOf, restartReplica, untilSettled }: Nodes): Fault[] {
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
        const replicas = await Promise.all(nodes.map(isReplica));
        const replica = random.pick(nodes.filter((_, at) => replicas[at]));
        await replica?.kill();
        await hold();
        if (replica) await restartReplica(replica);
        await untilSettled();
      },
    },
    connectionsEnd(aPrimary),
    scriptsAreForgotten(nodes),
  ];
}

const isReplica = async ({ admin }: TestRedis) => (await admin.info("replication")).includes("role:slave");
