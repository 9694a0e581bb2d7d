import { Redis as Node, type RedisOptions } from "ioredis";
import type { Logger } from "pino";
import type { Address } from "../address";
import { nodeLike, type AppRedis } from "../app-client";
import { TIME_UP } from "../budget";
import { createIdentity } from "./identity";
import { connectTimeoutMs, FAIL_CLOSED, retryStrategy, type Link, type LinkOptions } from "./link";
import { watchPulse } from "./pulse";
import { createContact, createReports } from "../reports";

export type NodeAddress = Exclude<Address, { mode: "cluster" }> | (AppRedis & { mode: "app" });

const RETRY_MS = 250;

export function createNode(address: NodeAddress, timeoutMs: number, more: RedisOptions = {}): Node {
  const options = { ...FAIL_CLOSED, connectTimeout: connectTimeoutMs(timeoutMs), retryStrategy, ...more };
  if (address.mode === "single") return new Node(address.url, options);
  if (address.mode === "socket") return new Node({ ...options, path: address.path });
  if (address.mode === "app") return nodeLike(address.node, { ...options, ...towardsSentinels(timeoutMs) });
  const { nodes, name, username, password, sentinelPassword, db, hasTls } = address;
  return new Node({
    ...options,
    sentinels: nodes,
    name,
    db,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(hasTls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
    ...towardsSentinels(timeoutMs),
  });
}

const towardsSentinels = (timeoutMs: number) => ({
  sentinelCommandTimeout: connectTimeoutMs(timeoutMs),
  sentinelRetryStrategy: () => RETRY_MS,
  // When a sentinel reports a failover, leave the old primary at once, even if it can still be reached.
  failoverDetector: true,
  sentinelReconnectStrategy: () => RETRY_MS,
});

/** ioredis gives up for good if a sentinel reports a failover while it is connecting. */
export function keepConnecting(client: Node, isClosing: () => boolean): void {
  client.on("end", () => {
    if (!isClosing()) setTimeout(() => void client.connect().catch(() => undefined), RETRY_MS).unref();
  });
}

/** A connection to a single Redis, or to the primary that the sentinels name. */
export function linkNode(address: NodeAddress, { timeoutMs, onInfo }: LinkOptions, log: Logger): Link {
  const client = createNode(address, timeoutMs);
  const reports = createReports(log);
  const contact = createContact();
  const identity = createIdentity();
  let isClosing = false;

  function refuseReplica(): void {
    identity.lost();
    reports.failed(new Error("READONLY Redis is a replica now, and a replica's answers aren't trusted"));
    // Its host name may lead to another node by now.
    client.disconnect(true);
  }

  const pulse = watchPulse(client, timeoutMs, (info, ...when) => {
    const isNew = identity.answerer() === undefined;
    identity.told(info, ...when);
    if (info.isReplica) {
      refuseReplica();
    } else if (isNew) {
      reports.ready();
      contact.made([info]);
    }
    onInfo();
  });
  client.on("ready", () => void pulse.beat());
  client.on("close", identity.lost);
  keepConnecting(client, () => isClosing);
  client.on("sentinelError", reports.failed);
  client.on("error", (error: Error & { command?: { name: string } }) => {
    // ioredis would carry on in database 0, which isn't the configured one.
    if (error.command?.name === "select") client.disconnect(true);
    reports.failed(error);
    contact.refused(error);
  });

  return {
    client,
    mayForget: true,
    failure: () => (identity.answerer() && client.status === "ready" ? undefined : reports.lastFailure()),
    answerer: identity.answerer,
    // Nothing to do: failure() refuses every command until INFO has been answered.
    meet: () => Promise.resolve(),
    infos: () => [identity.info()].filter((info) => info !== undefined),
    wallLeads: () => [identity.wallLead()].filter((lead) => lead !== undefined),
    learnFrom: (error) => {
      if (!(error instanceof Error)) return;
      if (error.message.startsWith("READONLY")) refuseReplica();
      if (error.message === TIME_UP) void pulse.beat();
    },
    firstContact: contact.promise,
    close: () => {
      isClosing = true;
      pulse.stop();
      client.disconnect();
    },
  };
}
