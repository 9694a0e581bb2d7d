import { Cluster, type ClusterOptions, type Redis as Node } from "ioredis";
import type { Logger } from "pino";
import type { Address } from "./address";
import { createClock } from "./clock";
import { readInfo, type Info } from "./info";
import { connectTimeoutMs, FAIL_CLOSED, retryStrategy, type Link, type LinkOptions } from "./link";
import { watchPulse } from "./pulse";
import { createContact, createReports } from "./reports";

const SLOTS_REFRESH_MS = 2000;
const MAX_REDIRECTIONS = 5;

/** A connection to each primary of a cluster. ioredis finds out which they are. */
export function linkCluster(
  address: Address & { mode: "cluster" },
  { timeoutMs, onInfo }: LinkOptions,
  log: Logger,
): Link {
  const { nodes, username, password, hasTls } = address;
  const reports = createReports(log);
  const contact = createContact();
  const clock = createClock();
  const infos = new Map<Node, Info>();
  let generation = 0;

  const { enableOfflineQueue, ...forNodes } = FAIL_CLOSED;
  const client = new Cluster(nodes, {
    enableOfflineQueue,
    scaleReads: "master",
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    slotsRefreshTimeout: connectTimeoutMs(timeoutMs),
    maxRedirections: MAX_REDIRECTIONS,
    clusterRetryStrategy: retryStrategy,
    redisOptions: {
      ...forNodes,
      connectTimeout: connectTimeoutMs(timeoutMs),
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(hasTls && { tls: {} }),
    },
  } satisfies ClusterOptions);

  client.on("+node", (node: Node) => {
    // With every primary's connection gone, ioredis asks any node; a replica must then say who knows, not what it knows.
    node.readonly = () => Promise.resolve("OK");
    const pulse = watchPulse(node, timeoutMs, (info) => {
      infos.set(node, info);
      clock.told(info);
      onInfo();
    });
    node.once("ready", () => void pulse.beat());
    node.once("end", () => {
      pulse.stop();
      infos.delete(node);
    });
  });
  client.on("refresh", () => {
    generation += 1;
  });
  client.on("ready", () => {
    reports.ready();
    Promise.all(client.nodes("master").map((node) => node.info())).then(
      (texts) => {
        contact.made(texts.map(readInfo));
      },
      () => undefined,
    );
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
    generation: () => generation,
    infos: () => client.nodes("master").flatMap((node) => infos.get(node) ?? []),
    clockLeadMs: clock.leadMs,
    blame: () => undefined,
    firstContact: contact.promise,
    close: () => {
      client.disconnect();
    },
  };
}
