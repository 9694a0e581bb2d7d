import type { Cluster, Redis as Node } from "ioredis";
import type { Lead } from "../clock";
import type { Answerer } from "./identity";
import type { Info } from "../info";

/** One connection to Redis, or to each primary of a cluster, and what is known of it. */
export type Link = {
  readonly client: Node | Cluster;
  /** Whether another Redis, or an earlier state of this one, may ever answer in its place. */
  readonly mayForget: boolean;
  /** Why no command may be sent now; undefined if all is well. */
  failure: () => Error | undefined;
  /** Which Redis answers for a prefix's keys; undefined while that isn't known. */
  answerer: (prefix: string) => Answerer | undefined;
  /** Finds out which Redis answers for a prefix's keys, if that isn't known. */
  meet: (prefix: string) => Promise<void>;
  /** The last INFO of each primary. */
  infos: () => Info[];
  /** How far the primaries' clocks are ahead of our wall clock. */
  wallLeads: () => Lead[];
  /** Takes a command's error into account: it may mean a failover or a dead connection. */
  learnFrom(error: unknown): void;
  /** What Redis said about itself at first contact. Rejects if Redis refuses the user or password. */
  readonly firstContact: Promise<Info[]>;
  close(): void;
};

export type LinkOptions = {
  timeoutMs: number;
  /** Called after each answer to INFO. */
  onInfo: () => void;
};

export const connectTimeoutMs = (timeoutMs: number) => Math.max(timeoutMs, 1000);

export const retryStrategy = (attempt: number) => Math.min(attempt * 50, 1000);

/**
 * By default, ioredis queues commands while Redis is away and sends them after a reconnect. A logout would be answered
 * late or never, and its entry would be written with an outdated TTL.
 */
export const FAIL_CLOSED = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  maxLoadingRetryTime: 500,
};
