import { startPartitionable, type Partitionable } from "../helpers/partition";
import { untilAgreed } from "../helpers/redis";
import { connectionsEnd, KEEPS_ALL } from "./single";
import { AFTER_SIGN_MS, type Fault, type World } from "./world";

/** Less than the sentinels wait before they take a primary for dead. */
const TOLERANCE_MS = 1000;

/** The first service and the primary are cut off together; without the tolerance it may believe what it reads there. */
const startPartitionWorld =
  (isTolerated: boolean) =>
  async (services: number): Promise<World> => {
    const redis = await startPartitionable(KEEPS_ALL);
    const environment = {
      REDIS_MODE: "sentinel",
      REDIS_SENTINEL_NAME: redis.name,
      REVOKE_MIN_REPLICAS: "1",
      PARTITION_TOLERANCE_MS: String(isTolerated ? TOLERANCE_MS : 0),
    };
    return {
      environments: Array.from({ length: services }, (_, at) => ({
        ...environment,
        REDIS_URL: at === 0 ? redis.nearUrl : redis.url,
      })),
      faults: [partition(redis, isTolerated), connectionsEnd(redis.primary)],
      mayLose: true,
      stop: redis.stop,
    };
  };

export const startToleratedPartitions = startPartitionWorld(true);
export const startPartitions = startPartitionWorld(false);

const partition = (redis: Partitionable, isTolerated: boolean): Fault => ({
  name: "the primary and a service are cut off from all others",
  async strike({ recorder, hold }) {
    const cutAndHeal = async () => {
      const primary = await redis.cut();
      await untilAgreed(async () => (await redis.primary()) !== primary);
      for (let count = 0; count < 6; count += 1) await hold();
      redis.heal();
    };
    if (isTolerated) await cutAndHeal();
    else await recorder.strike({ kind: "loss", instance: 0, allowanceMs: AFTER_SIGN_MS }, cutAndHeal);
    await redis.untilSettled();
  },
});
