import { join } from "node:path";
import type { Redis } from "../redis/redis";
import { readScript, type Script } from "../redis/script";
import type { Shards } from "../redis/shards";
import { cutUserAgent, probeKey, type Call } from "./entry";
import { epochKey } from "./past/epochs";
import { EVENTS_KEPT, eventsKey } from "./events";
import type { Past } from "./past/past";

export type Args = Record<string, string | number>;

/** A script, the keys it needs beside the events and the epoch, and its arguments, for the shard that it is run in. */
export type Work = { script: Script; keys: (prefix: string) => string[]; args: (prefix: string) => Args };

/** Reads a script that writes to a denylist. */
export const readWritingScript = (...files: string[]) => readScript(join(__dirname, "entries.lua"), ...files);

export type Writer = ReturnType<typeof createWriter>;

/** Runs the scripts that write to a shard, so that they count as done only where we know what answers. */
export function createWriter(redis: Redis, shards: Shards, past: Past) {
  function toRun(prefix: string, { sub, by, requester, nowMs, note }: Call, { script, keys, args }: Work) {
    const common = {
      now_ms: nowMs,
      now: new Date(nowMs).toISOString(),
      sub,
      by,
      ip: requester.ip ?? "",
      user_agent: cutUserAgent(requester.userAgent) ?? "",
      note: note ?? "",
      deadline_ms: redis.deadlineMs() ?? "",
      events_kept: EVENTS_KEPT,
      witnessed: past.witnessed(prefix) ?? "",
    };
    const all = [eventsKey(prefix), epochKey(prefix), ...keys(prefix)];
    return [script, all, { ...common, ...args(prefix) }] as const;
  }

  const confirmed = (prefix: string, call: Call, work: Work) => () =>
    redis.runConfirmed(...toRun(prefix, call, work), probeKey(prefix));

  return {
    /** For what lets somebody in, or keeps them in. */
    run(call: Call, work: Work): Promise<unknown> {
      const prefix = shards.prefixOf(call.sub);
      return past.write(prefix, confirmed(prefix, call, work));
    },

    /** For what changes nothing, so that there is nothing to confirm. */
    look(call: Call, work: Work): Promise<unknown> {
      const prefix = shards.prefixOf(call.sub);
      return past.ask(prefix, () => redis.run(...toRun(prefix, call, work)));
    },

    /** For what revokes, which the process remembers. Returns the script's verdict. */
    async revoke(call: Call, work: Work, prefix = shards.prefixOf(call.sub)): Promise<string> {
      const run = confirmed(prefix, call, work);
      const [verdict] = await past.writeEvent(prefix, () => run() as Promise<[string, string]>);
      return verdict;
    },
  };
}
