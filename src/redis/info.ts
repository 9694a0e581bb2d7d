/** What Redis says of itself in INFO. CONFIG would say more, but that isn't for an application to be allowed. */
export type Info = {
  isReplica: boolean;
  /** Undefined where Redis doesn't say. */
  evictionPolicy: string | undefined;
  hasEvicted: boolean;
  appendOnlyFile: "on" | "off" | "failing" | undefined;
  replicas: number;
  /** How far Redis's clock was ahead of ours when it said so; undefined before Redis 7. */
  clockLeadMs: number | undefined;
};

/** Something that is wrong with this Redis, although it answers. */
export type Warning = { code: string; message: string };

export function readInfo(text: string): Info {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(text)?.[1];
  const time = field("server_time_usec");
  return {
    isReplica: field("role") === "slave",
    evictionPolicy: field("maxmemory_policy"),
    hasEvicted: Number(field("evicted_keys") ?? 0) > 0,
    appendOnlyFile: readAppendOnlyFile(field("aof_enabled"), field("aof_last_write_status")),
    replicas: Number(field("connected_slaves") ?? 0),
    clockLeadMs: time === undefined ? undefined : Number(time) / 1000 - Date.now(),
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
