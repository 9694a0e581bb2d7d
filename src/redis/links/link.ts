import type { Cluster, Redis as Node } from "ioredis";
import type { Lead } from "../clock";
import type { Answerer } from "./identity";
import type { Info } from "../info";

/** One connection to Redis, or to each primary of a cluster, and what is known of it. */
export type Link = {
  readonly client: Node | Cluster;
  /** Whether another Redis, or an earlier state of this one, may ever answer in its place. */
  readonly mayForget: boolean;
  /** Why nothing may be asked now; undefined when all is well. */
  failure: () => Error | undefined;
  /** Who answers for a prefix's keys; undefined while that isn't known. */
  answerer: (prefix: string) => Answerer | undefined;
  /** Finds out who answers for them, where that isn't known. */
  meet: (prefix: string) => Promise<void>;
  /** What the primaries last said of themselves. */
  infos: () => Info[];
  /** How far their clocks are ahead of the one on our wall. */
  wallLeads: () => Lead[];
  /** What came back for a command may tell more than that it failed. */
  learnFrom(error: unknown): void;
  /** What Redis said of itself at the first contact; an error if it doesn't take our user or password. */
  readonly firstContact: Promise<Info[]>;
  close(): void;
};

export type LinkOptions = {
  timeoutMs: number;
  /** Redis has said how it is. */
  onInfo: () => void;
};

export const connectTimeoutMs = (timeoutMs: number) => Math.max(timeoutMs, 1000);

export const retryStrategy = (attempt: number) => Math.min(attempt * 50, 1000);

/**
 * ioredis's defaults would queue commands while Redis is away and send them again after a reconnect: a logout would be
 * answered late or never, and its entry written with a lifetime that was right long ago.
 */
export const FAIL_CLOSED = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  maxLoadingRetryTime: 500,
};
