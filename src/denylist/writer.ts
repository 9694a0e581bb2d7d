import { join } from "node:path";
import type { Redis } from "../redis/redis";
import { readScript, type Script } from "../redis/script";
import type { Shards } from "../redis/shards";
import { cutUserAgent, probeKey, type WriteContext } from "./entry";
import { epochKey } from "./past/epochs";
import { EVENTS_KEPT, eventsKey } from "./events";
import type { Past } from "./past/past";

export type Args = Record<string, string | number>;

/** A script with the keys it needs besides the events and the epoch, and its arguments, for the shard it runs in. */
export type ScriptCall = {
  script: Script;
  keys: (prefix: string) => string[];
  args: (prefix: string) => Args;
};

/** Reads a script that writes to a denylist. */
export const readWritingScript = (...files: string[]) => readScript(join(__dirname, "entries.lua"), ...files);

export type Writer = ReturnType<typeof createWriter>;

type WriterListeners = {
  /** Told of each reason for which this process has revoked something, and how often in one script. */
  onRevoked?: ((reason: string, count: number) => void) | undefined;
  /** Called when a script may have written entries, before anybody is told what it did. */
  onWritten?: (() => void) | undefined;
};

/** Runs the scripts that write to a shard, so that a write counts as done only if we know which Redis answered. */
export function createWriter(redis: Redis, shards: Shards, past: Past, listeners: WriterListeners = {}) {
  const { onRevoked = () => undefined, onWritten = () => undefined } = listeners;

  function toRun(
    prefix: string,
    { sub, by, requester, nowMs, note }: WriteContext,
    { script, keys, args }: ScriptCall,
  ) {
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

  const confirmed = (prefix: string, context: WriteContext, work: ScriptCall) => () =>
    redis.runConfirmed(...toRun(prefix, context, work), probeKey(prefix));

  /** Whatever a script returns, its second result says what it revoked. */
  function tellRevoked(reply: unknown): void {
    if (!Array.isArray(reply)) return;
    const [, reason, count] = /^(\w+) (\d+)$/.exec(String(reply[1])) ?? [];
    if (reason === undefined) return;
    onWritten();
    onRevoked(reason, Number(count));
  }

  return {
    /** For scripts that let somebody in, or keep them in. */
    async run(context: WriteContext, work: ScriptCall): Promise<unknown> {
      const prefix = shards.prefixOf(context.sub);
      const reply = await past.write(prefix, confirmed(prefix, context, work));
      tellRevoked(reply);
      return reply;
    },

    /** For scripts that change nothing, so that there is nothing to confirm. */
    look(context: WriteContext, work: ScriptCall): Promise<unknown> {
      const prefix = shards.prefixOf(context.sub);
      return past.ask(prefix, () => redis.run(...toRun(prefix, context, work)));
    },

    /** For scripts that revoke. This process remembers their event. Returns the script's verdict. */
    async revoke(
      context: WriteContext,
      work: ScriptCall,
      prefix = shards.prefixOf(context.sub),
    ): Promise<string> {
      const run = confirmed(prefix, context, work);
      const reply = await past.writeEvent(prefix, () => run() as Promise<[string, string, string]>);
      // Perhaps another instance did it just now, and this one only repeated it.
      onWritten();
      tellRevoked(reply);
      return reply[0];
    },
  };
}
