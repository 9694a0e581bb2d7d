import { Cluster, type ClusterOptions, type Redis as Node } from "ioredis";
import type { Logger } from "pino";
import type { Address } from "./address";
import { clusterLike, type AppRedis } from "./app-client";
import { TIME_UP } from "./budget";
import { createClock, greatest, type Clock } from "./clock";
import { slotOf } from "./crc16";
import type { Info } from "./info";
import { connectTimeoutMs, FAIL_CLOSED, retryStrategy, type Link, type LinkOptions } from "./link";
import { watchPulse } from "./pulse";
import { createContact, createReports } from "./reports";

const SLOTS_REFRESH_MS = 2000;
const MAX_REDIRECTIONS = 5;
/** ioredis would send again what may have been done already, and would answer with what came of the second time. */
const NEVER_AGAIN = 0;

type ClusterAddress = (Address & { mode: "cluster" }) | (AppRedis & { mode: "app-cluster" });

function createCluster(address: ClusterAddress, timeoutMs: number): Cluster {
  const { enableOfflineQueue, ...forNodes } = FAIL_CLOSED;
  const options = {
    enableOfflineQueue,
    scaleReads: "master",
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    slotsRefreshTimeout: connectTimeoutMs(timeoutMs),
    maxRedirections: MAX_REDIRECTIONS,
    retryDelayOnFailover: NEVER_AGAIN,
    clusterRetryStrategy: retryStrategy,
    redisOptions: { ...forNodes, connectTimeout: connectTimeoutMs(timeoutMs) },
  } satisfies ClusterOptions;
  if (address.mode === "app-cluster") return clusterLike(address.cluster, options);
  const { nodes, username, password, hasTls } = address;
  return new Cluster(nodes, {
    ...options,
    redisOptions: {
      ...options.redisOptions,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(hasTls && { tls: {} }),
    },
  });
}

/** A connection to each primary of a cluster. ioredis finds out which they are. */
export function linkCluster(address: ClusterAddress, { timeoutMs, onInfo }: LinkOptions, log: Logger): Link {
  const client = createCluster(address, timeoutMs);
  const reports = createReports(log);
  const contact = createContact();
  const clocks = new Map<Node, Clock>();
  const infos = new Map<Node, Info>();
  const beats = new Map<Node, () => void>();
  let connections = 0;

  const infosOf = (nodes: Node[]) => nodes.flatMap((node) => infos.get(node) ?? []);

  client.on("+node", (node: Node) => {
    // With every primary's connection gone, ioredis asks any node; a replica must then say who knows, not what it knows.
    node.readonly = () => Promise.resolve("OK");
    const clock = createClock();
    clocks.set(node, clock);
    const pulse = watchPulse(node, timeoutMs, (info) => {
      infos.set(node, info);
      clock.told(info);
      const primaries = client.nodes("master");
      if (client.status === "ready" && primaries.every((each) => infos.has(each)))
        contact.made(infosOf(primaries));
      onInfo();
    });
    // ioredis waits with that until the node is asked something, and we want to know how each primary is.
    if (!node.options.readOnly) void node.connect().catch(() => undefined);
    node.once("ready", () => {
      connections += 1;
      pulse.beat();
    });
    beats.set(node, pulse.beat);
    node.once("end", () => {
      pulse.stop();
      beats.delete(node);
      infos.delete(node);
      clocks.delete(node);
    });
  });
  const beatAll = () => {
    for (const beat of beats.values()) beat();
  };
  client.on("ready", () => {
    reports.ready();
    beatAll();
  });
  const fail = (error: Error & { lastNodeError?: Error }) => {
    reports.failed(error.lastNodeError ?? error);
    contact.refused(error.lastNodeError ?? error);
  };
  client.on("error", fail);
  client.on("node error", fail);

  return {
    client,
    whyNot: () => (client.status === "ready" ? undefined : reports.lastFailure()),
    // Whoever has the slot, at once when a MOVED says that it is another; and over which connection.
    generation: (prefix) => `${client.slots[slotOf(prefix)]?.[0] ?? "nobody"} ${connections}`,
    infos: () => infosOf(client.nodes("master")),
    clockLeadMs: () => greatest([...clocks.values()].flatMap((clock) => clock.leadMs() ?? [])),
    blame: (error) => {
      if (error instanceof Error && error.message === TIME_UP) beatAll();
    },
    firstContact: contact.promise,
    close: () => {
      client.disconnect();
    },
  };
}
