import { MAX_JUMP_MS, type Lead } from "./clock";

/** What Redis says of itself in INFO. CONFIG would say more, but that isn't for an application to be allowed. */
export type Info = {
  version: string | undefined;
  /** Another after each start of Redis. This and the next are undefined where Redis doesn't say. */
  runId: string | undefined;
  /** Another wherever two nodes' pasts part ways: at each promotion of a replica. */
  replicationId: string | undefined;
  isReplica: boolean;
  /** Undefined where Redis doesn't say. */
  evictionPolicy: string | undefined;
  hasEvicted: boolean;
  appendOnlyFile: "on" | "off" | "failing" | undefined;
  replicas: number;
  /** What time it is by Redis's clock; undefined before Redis 7. */
  timeMs: number | undefined;
};

/** Something that is wrong with this Redis, although it answers. */
export type Warning = { code: string; message: string };

export function readInfo(text: string): Info {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(text)?.[1];
  const time = field("server_time_usec");
  return {
    version: field("redis_version"),
    runId: field("run_id"),
    replicationId: field("master_replid"),
    isReplica: field("role") === "slave",
    evictionPolicy: field("maxmemory_policy"),
    hasEvicted: Number(field("evicted_keys") ?? 0) > 0,
    appendOnlyFile: readAppendOnlyFile(field("aof_enabled"), field("aof_last_write_status")),
    replicas: Number(field("connected_slaves") ?? 0),
    timeMs: time === undefined ? undefined : Number(time) / 1000,
  };
}

function readAppendOnlyFile(enabled: string | undefined, lastWrite: string | undefined) {
  if (enabled === undefined) return undefined;
  if (enabled === "0") return "off";
  return lastWrite === "err" ? "failing" : "on";
}

/** An entry that is evicted brings a revoked token back. */
export const mayEvict = ({ evictionPolicy }: Info) =>
  evictionPolicy !== undefined && evictionPolicy !== "noeviction";

/** Where this Redis may forget what it was told, and where it can't do what is asked of it. */
export function warningsOf(info: Info, minReplicas: number): Warning[] {
  const { evictionPolicy, hasEvicted, appendOnlyFile, replicas } = info;
  const warnings: Record<string, string | false> = {
    unknown_persistence:
      (evictionPolicy === undefined || appendOnlyFile === undefined) &&
      "Redis doesn't say whether it may forget. Allow our user INFO.",
    eviction_policy:
      mayEvict(info) &&
      `maxmemory-policy is ${String(evictionPolicy)}: an evicted entry brings a revoked token back. Set noeviction.`,
    evicted_keys:
      mayEvict(info) &&
      hasEvicted &&
      "Redis has evicted keys since it started: revoked tokens may be accepted again.",
    no_append_only_file:
      appendOnlyFile === "off" &&
      "Redis keeps no append-only file: a restart takes it back to a snapshot, or to nothing. Set appendonly yes.",
    append_only_file_failing: appendOnlyFile === "failing" && "Redis can't write its append-only file.",
    too_few_replicas:
      replicas < minReplicas &&
      `Redis has ${replicas} replicas and REVOKE_MIN_REPLICAS is ${minReplicas}: no login, refresh or logout can succeed.`,
  };
  return Object.entries(warnings).flatMap(([code, message]) =>
    message === false ? [] : [{ code, message }],
  );
}

/** Entries are counted down by Redis's clock, and tokens by ours. */
export function skewWarning({ leastMs, mostMs }: Lead): Warning[] {
  const isAhead = leastMs > MAX_JUMP_MS;
  if (!isAhead && mostMs >= -MAX_JUMP_MS) return [];
  const seconds = Math.round(Math.abs(isAhead ? leastMs : mostMs) / 1000);
  const message = `Redis's clock is ${seconds} seconds ${isAhead ? "ahead of" : "behind"} ours. Have NTP set both.`;
  return [{ code: "clock_skew", message }];
}
