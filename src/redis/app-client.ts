import type { Cluster, ClusterOptions, Redis as Node, RedisOptions } from "ioredis";

/** An app's own ioredis client, from any copy of ioredis 5. Curfew never uses it, but makes new connections like it. */
export type AppClient = {
  readonly status: string;
  readonly options: object;
  duplicate(...args: never[]): unknown;
};

/** How an app reaches its Redis: through a client of one node (or its sentinels), or of a cluster. */
export type AppRedis = { mode: "app"; node: Node } | { mode: "app-cluster"; cluster: Cluster };

/** Options that an app may have set on its client, but that would make answers wrong or late here. */
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

/** Throws a TypeError unless it is a client of ioredis 5. */
export function readAppClient(client: unknown): AppRedis {
  if (!isIoredis5(client)) throw new TypeError("it is not a client of ioredis 5");
  return "isCluster" in client && client.isCluster === true
    ? { mode: "app-cluster", cluster: client as unknown as Cluster }
    : { mode: "app", node: client as unknown as Node };
}

/** Whether the app's client has a key prefix. Curfew's connections don't use it. */
export function hasKeyPrefix(redis: AppRedis): boolean {
  const { keyPrefix } = (redis.mode === "app" ? redis.node : redis.cluster).options;
  return Boolean(keyPrefix);
}

/** Clients of node-redis have no `status`; those of ioredis 4 have the option `dropBufferSupport`. */
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
      // ioredis's own default for a cluster's nodes. Otherwise it may ask a node that is still connecting whether the
      // cluster is up, and give up.
      lazyConnect: true,
    } as RedisOptions,
  });
}
