import { Cluster, type ClusterOptions, type Redis as Node } from "ioredis";
import type { Logger } from "pino";
import type { Address } from "../address";
import { clusterLike, type AppRedis } from "../app-client";
import { TIME_UP } from "../budget";
import { slotOf } from "../crc16";
import { createIdentity } from "./identity";
import { connectTimeoutMs, FAIL_CLOSED, retryStrategy, type Link, type LinkOptions } from "./link";
import { watchPulse } from "./pulse";
import { createContact, createReports } from "../reports";

const SLOTS_REFRESH_MS = 1000;
const MAX_REDIRECTIONS = 5;
/** ioredis would repeat a command that may have been executed already, and return the second result. */
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

/** A node with a connection. */
type Member = ReturnType<typeof watchMember>;

function watchMember(node: Node, timeoutMs: number, onInfo: () => void) {
  // Without READONLY, a replica redirects to its primary instead of answering. ioredis asks any node when it has lost
  // the connections to all primaries.
  node.readonly = () => Promise.resolve("OK");
  const identity = createIdentity();
  const pulse = watchPulse(node, timeoutMs, (...said) => {
    identity.told(...said);
    onInfo();
  });
  node.on("ready", () => void pulse.beat());
  node.on("close", identity.lost);
  return { ...identity, ...pulse };
}

/**
 * Connects to a primary. ioredis would wait until a command needs it, but the state of each primary should be known.
 */
function open(node: Node): void {
  if (!node.options.readOnly && node.status === "wait") void node.connect().catch(() => undefined);
}

const keyOf = ({ options: { host, port } }: Node) => `${host ?? ""}:${port ?? ""}`;

/** A connection to each primary of a cluster. ioredis finds out which they are. */
export function linkCluster(address: ClusterAddress, { timeoutMs, onInfo }: LinkOptions, log: Logger): Link {
  const client = createCluster(address, timeoutMs);
  const reports = createReports(log);
  const contact = createContact();
  const members = new Map<string, Member>();

  const primaries = () => client.nodes("master").map((node) => members.get(keyOf(node)));
  const infos = () => primaries().flatMap((member) => member?.info() ?? []);

  client.on("+node", (node: Node) => {
    const key = keyOf(node);
    const member = watchMember(node, timeoutMs, () => {
      if (client.status === "ready" && primaries().every((each) => each?.info())) contact.made(infos());
      onInfo();
    });
    members.set(key, member);
    if (client.status === "ready") open(node);
    node.once("end", () => {
      member.stop();
      if (members.get(key) === member) members.delete(key);
    });
  });
  const beatAll = () => {
    for (const { beat } of members.values()) void beat();
  };
  client.on("ready", () => {
    reports.ready();
    // Not earlier: without an offline queue, ioredis's own CLUSTER INFO fails on a node that is still connecting.
    client.nodes("master").forEach(open);
    beatAll();
  });
  const fail = (error: Error & { lastNodeError?: Error }) => {
    reports.failed(error.lastNodeError ?? error);
    contact.refused(error.lastNodeError ?? error);
  };
  client.on("error", fail);
  client.on("node error", fail);

  // The owner of the slot, which ioredis updates as soon as a MOVED names another node.
  const owner = (prefix: string) => members.get(client.slots[slotOf(prefix)]?.[0] ?? "nobody");

  return {
    client,
    mayForget: true,
    failure: () => (client.status === "ready" ? undefined : reports.lastFailure()),
    answerer: (prefix) => owner(prefix)?.answerer(),
    async meet(prefix) {
      if (owner(prefix)?.answerer()) return;
      // Any command for the slot will do: ioredis connects to its owner, and follows a redirect.
      await client.exists(prefix);
      await owner(prefix)?.beat();
    },
    infos,
    wallLeads: () => primaries().flatMap((member) => member?.wallLead() ?? []),
    learnFrom: (error) => {
      if (error instanceof Error && error.message === TIME_UP) beatAll();
    },
    firstContact: contact.promise,
    close: () => {
      client.disconnect();
    },
  };
}
