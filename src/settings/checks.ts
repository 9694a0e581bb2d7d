import { isIPv4 } from "node:net";
import type { Reading } from "./reading";
import type { Settings, Table } from "./table";

/** In less time replicas hardly confirm anything, and all checks would fail. */
const MIN_PARTITION_TOLERANCE_MS = 100;

/** `redis` is undefined if it was refused, `host` in the library. */
type Together = Pick<
  Settings,
  | "accessTtlSeconds"
  | "refreshTtlSeconds"
  | "sessionMaxTtlSeconds"
  | "revokeMinReplicas"
  | "partitionToleranceMs"
  | "mode"
> & { redis: { mode: string } | undefined; host?: string };

/** Refuses settings that are valid on their own but don't fit together. It skips those that were refused already. */
export function checkTogether(
  {
    isGiven,
    isRefused,
    nameOf,
    refuse,
  }: Pick<Reading<"text">, "isGiven" | "isRefused" | "nameOf" | "refuse">,
  settings: Together,
): void {
  const { accessTtlSeconds, refreshTtlSeconds, sessionMaxTtlSeconds } = settings;
  const { revokeMinReplicas, partitionToleranceMs, mode, redis, host } = settings;
  const isCluster = redis?.mode.endsWith("cluster");
  const isOurOwn = redis?.mode === "memory" || redis?.mode === "embedded";

  /** The problem is reported for the first of the names. */
  function check(names: (keyof Table)[], isWrong: boolean, found: string, write: string): void {
    if (isWrong && names[0] && !names.some(isRefused)) refuse(names[0], found, write);
  }

  // As a variable, it may be set without a cluster, because services may share an environment. As an option, it is a
  // mistake.
  const isOption = host === undefined;
  check(
    ["shards", "redis"],
    isOption && isGiven("shards") && !isCluster,
    "only a Redis Cluster has shards",
    "nothing",
  );
  check(
    ["revokeMinReplicas", "redis"],
    revokeMinReplicas > 0 && isOurOwn,
    "the private Redis has no replicas",
    `0, or set ${nameOf("redis")}`,
  );
  check(
    ["partitionToleranceMs", "revokeMinReplicas"],
    partitionToleranceMs > 0 && revokeMinReplicas === 0,
    "no replica has to confirm anything",
    `0, or set ${nameOf("revokeMinReplicas")}`,
  );
  check(
    ["partitionToleranceMs", "revokeMinReplicas"],
    partitionToleranceMs > 0 && partitionToleranceMs < MIN_PARTITION_TOLERANCE_MS,
    "replicas don't confirm so quickly",
    `0, or at least ${MIN_PARTITION_TOLERANCE_MS}`,
  );
  check(
    ["mode", "redis"],
    mode === "mirror" && isCluster === true,
    "a mirror follows one primary, and a cluster has several",
    "direct",
  );
  check(
    ["mode", "redis"],
    mode === "mirror" && redis?.mode === "memory",
    "there is no round trip to save with memory://",
    "direct",
  );
  check(
    ["host", "redis"],
    redis?.mode === "memory" && host !== undefined && !isLoopback(host),
    `read ${JSON.stringify(host)}`,
    "127.0.0.1: memory:// is for trying out on one machine",
  );
  check(
    ["refreshTtlSeconds", "accessTtlSeconds"],
    refreshTtlSeconds < accessTtlSeconds,
    `it is shorter than ${nameOf("accessTtlSeconds")}`,
    "a longer one",
  );
  check(
    ["sessionMaxTtlSeconds", "refreshTtlSeconds"],
    sessionMaxTtlSeconds < refreshTtlSeconds,
    `it is shorter than ${nameOf("refreshTtlSeconds")}`,
    "a longer one",
  );
}

export const isLoopback = (host: string) =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
