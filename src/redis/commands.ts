import type { ChainableCommander, Cluster, Redis as Node } from "ioredis";

export type Client = Node | Cluster;
export type Args = Record<string, string | number>;
type Commands = (pipeline: ChainableCommander) => ChainableCommander;

/** What is sent at once goes to the socket at once; ioredis alone would write each command by itself. */
export function inOneWrite<T>(client: Client, send: () => Promise<T>): Promise<T> {
  if (isCluster(client)) return send();
  // Undefined while it isn't connected, and for memory://.
  const { stream } = client as { stream?: { cork(): void; uncork(): void } };
  stream?.cork();
  try {
    return send();
  } finally {
    stream?.uncork();
  }
}

export const isCluster = (client: Client): client is Cluster => "nodes" in client;

export const toArguments = (keys: string[], args: Args) =>
  [keys.length, ...keys, ...Object.entries(args).flat()] as const;

/** Redis forgets scripts: after a restart, after a failover and when it is told to. */
export async function withScript<T>(bySha1: () => Promise<T>, bySource: () => Promise<T>): Promise<T> {
  try {
    return await bySha1();
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return bySource();
  }
}

export async function pipeline(client: Client, commands: Commands): Promise<unknown[]> {
  const replies = (await commands(client.pipeline()).exec()) ?? [];
  return replies.map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}
