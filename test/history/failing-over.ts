import { startCluster } from "../helpers/cluster";
import { untilAgreed, type TestRedis } from "../helpers/redis";
import { startSentinel } from "../helpers/sentinel";
import { connectionsEnd, scriptsAreForgotten } from "./single";
import type { Fault, World } from "./world";

const KEEPING = ["--appendonly yes", "--appendfsync always"];

/** A primary and two replicas, watched by three sentinels. */
export async function startSentinelWorld(services: number): Promise<World> {
  const redis = await startSentinel({ options: KEEPING });
  const environment = {
    REDIS_MODE: "sentinel",
    REDIS_SENTINEL_NAME: redis.name,
    REDIS_URL: redis.url,
    REVOKE_MIN_REPLICAS: "1",
  };
  return worldOf(environment, services, redis, redis.primary);
}

/** Three primaries and their replicas. Faults meet the primary of any key. */
export async function startClusterWorld(services: number): Promise<World> {
  const redis = await startCluster({ options: KEEPING });
  const environment = { REDIS_MODE: "cluster", REDIS_URL: redis.url, REVOKE_MIN_REPLICAS: "1" };
  let asked = 0;
  return worldOf(environment, services, redis, () => redis.primaryOf(`key ${(asked += 1)}`));
}

type Nodes = { nodes: TestRedis[]; untilSettled: () => Promise<void>; stop: () => Promise<void> };

function worldOf(
  environment: NodeJS.ProcessEnv,
  services: number,
  redis: Nodes,
  aPrimary: () => Promise<TestRedis>,
): World {
  return {
    environments: Array.from({ length: services }, () => environment),
    faults: [
      ...faultsOf(redis, aPrimary),
      connectionsEnd(aPrimary),
      scriptsAreForgotten(() => Promise.resolve(redis.nodes)),
    ],
    mayLose: true,
    stop: redis.stop,
  };
}

function faultsOf({ nodes, untilSettled }: Nodes, aPrimary: () => Promise<TestRedis>): Fault[] {
  const isReplica = async ({ admin }: TestRedis) => (await admin.info("replication")).includes("role:slave");
  /** Some other node has taken its place. */
  const untilReplaced = ...
}
