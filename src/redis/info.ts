import { MAX_JUMP_MS, type Lead } from "./clock";

/** What Redis says about itself in INFO. CONFIG would say more, but applications shouldn't be allowed to use it. */
export type Info = {
  version: string | undefined;
  /** Changes with each start of Redis. Undefined, like the next one, if Redis doesn't say. */
  runId: string | undefined;
  /** Changes when a replica is promoted, because from then on the two nodes' data differ. */
  replicationId: string | undefined;
  isReplica: boolean;
  /** Undefined if Redis doesn't say. */
  evictionPolicy: string | undefined;
  hasEvicted: boolean;
  appendOnlyFile: "on" | "off" | "failing" | undefined;
  replicas: number;
  /** The time by Redis's clock; undefined before Redis 7. */
  timeMs: number | undefined;
};

/** Something that is wrong with a Redis that answers. */
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

/** If an entry is evicted, its revoked token is accepted again. */
export const mayEvict = ({ evictionPolicy }: Info) =>
  evictionPolicy !== undefined && evictionPolicy !== "noeviction";

/** Warns where this Redis may lose data, or can't do what the settings require. */
export function warningsOf(info: Info, minReplicas: number): Warning[] {
  const { evictionPolicy, hasEvicted, appendOnlyFile, replicas } = info;
  const warnings: Record<string, string | false> = {
    unknown_persistence:
      (evictionPolicy === undefined || appendOnlyFile === undefined) &&
      "Redis doesn't say whether it may lose data. Allow Curfew's Redis user the command INFO.",
    eviction_policy:
      mayEvict(info) &&
      `maxmemory-policy is ${String(evictionPolicy)}: if an entry is evicted, its revoked token is accepted again. Set noeviction.`,
    evicted_keys:
      mayEvict(info) &&
      hasEvicted &&
      "Redis has evicted keys since it started: revoked tokens may be accepted again.",
    no_append_only_file:
      appendOnlyFile === "off" &&
      "Redis keeps no append-only file: after a restart it has only its last snapshot, or nothing. Set appendonly yes.",
    append_only_file_failing: appendOnlyFile === "failing" && "Redis can't write its append-only file.",
    too_few_replicas:
      replicas < minReplicas &&
      `Redis has ${replicas} replicas and REVOKE_MIN_REPLICAS is ${minReplicas}: no login, refresh or logout can succeed.`,
  };
  return Object.entries(warnings).flatMap(([code, message]) =>
    message === false ? [] : [{ code, message }],
  );
}

/** Entries expire by Redis's clock, and tokens by ours. */
export function skewWarning({ leastMs, mostMs }: Lead): Warning[] {
  const isAhead = leastMs > MAX_JUMP_MS;
  if (!isAhead && mostMs >= -MAX_JUMP_MS) return [];
  const seconds = Math.round(Math.abs(isAhead ? leastMs : mostMs) / 1000);
  const message = `Redis's clock is ${seconds} seconds ${isAhead ? "ahead of" : "behind"} ours. Keep both in time with NTP.`;
  return [{ code: "clock_skew", message }];
}
