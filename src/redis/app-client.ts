import type { Cluster, ClusterOptions, Redis as Node, RedisOptions } from "ioredis";

/** An ioredis client that an app has for itself, of whichever copy of ioredis 5. We never use it, and make others like it. */
export type AppClient = {
  readonly status: string;
  readonly options: object;
  duplicate(...args: never[]): unknown;
};

/** How an app reaches its Redis: where, as whom, by which sentinels or nodes. */
export type AppRedis = { mode: "app"; node: Node } | { mode: "app-cluster"; cluster: Cluster };

/** What an app may have chosen for itself, and what would make answers wrong or late here. */
const NOT_THE_APPS = {
  keyPrefix: "",
  role: "master",
  readOnly: false,
  lazyConnect: false,
  enableReadyCheck: true,
  enableAutoPipelining: false,
  stringNumbers: false,
  monitor: false,
  reconnectOnError: null,
  commandTimeout: undefined,
  socketTimeout: undefined,
} as const;

/** Throws a TypeError unless it is such a client. */
export function readAppClient(client: unknown): AppRedis {
  if (!isIoredis5(client)) throw new TypeError("it is no client of ioredis 5");
  return "isCluster" in client && client.isCluster === true
    ? { mode: "app-cluster", cluster: client as unknown as Cluster }
    : { mode: "app", node: client as unknown as Node };
}

/** Whether what the app itself writes there begins with something. That doesn't count for us. */
export function hasKeyPrefix(redis: AppRedis): boolean {
  const { keyPrefix } = (redis.mode === "app" ? redis.node : redis.cluster).options;
  return Boolean(keyPrefix);
}

/** node-redis's clients have no status in a word; those of ioredis 4 still have this option. */
function isIoredis5(client: unknown): client is AppClient {
  if (typeof client !== "object" || client === null) return false;
  const { status, options, duplicate } = client as Partial<Record<keyof AppClient, unknown>>;
  const isOptions = typeof options === "object" && options !== null && !("dropBufferSupport" in options);
  return typeof status === "string" && typeof duplicate === "function" && isOptions;
}

export const nodeLike = (node: Node, options: RedisOptions): Node =>
  node.duplicate({ ...NOT_THE_APPS, ...options });

export function clusterLike(cluster: Cluster, { redisOptions, ...options }: ClusterOptions): Cluster {
  const { keyPrefix, lazyConnect, enableReadyCheck, enableAutoPipelining } = NOT_THE_APPS;
  return cluster.duplicate([], {
    ...{ keyPrefix, lazyConnect, enableReadyCheck, enableAutoPipelining, shardedSubscribers: false },
    ...options,
    redisOptions: {
      ...{ ...cluster.options.redisOptions, ...NOT_THE_APPS, ...redisOptions },
      // As a cluster's nodes are by themselves: else ioredis may ask one that is connecting whether the cluster is up, and give up.
      lazyConnect: true,
    } as RedisOptions,
  });
}
