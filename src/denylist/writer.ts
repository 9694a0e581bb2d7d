import { join } from "node:path";
import { CurfewError } from "../errors";
import type { Redis } from "../redis/redis";
import { readScript, type Script } from "../redis/script";
import type { Shards } from "../shards";
import { cutUserAgent, probeKey, type Call } from "./entry";
import { epochKey, type Epochs } from "./epochs";
import { EVENTS_KEPT, eventsKey } from "./events";

export type Args = Record<string, string | number>;

/** A script, the keys it needs beside the events and the epoch, and its arguments, for the shard that it is run in. */
export type Work = { script: Script; keys: (prefix: string) => string[]; args: (prefix: string) => Args };

/** Reads a script that writes to a denylist. */
export const readWritingScript = (...files: string[]) => readScript(join(__dirname, "entries.lua"), ...files);

export type Writer = ReturnType<typeof createWriter>;

/** Runs the scripts that write to a shard: in its epoch, and remembering what it acknowledged. */
export function createWriter(redis: Redis, shards: Shards, epochs: Epochs) {
  /** `isLoss`: what the call is about proves, if there is no epoch, that there was one. */
  async function inEpoch<T>(prefix: string, isLoss: boolean, write: () => Promise<T>): Promise<T> {
    await epochs.settle(prefix);
    try {
      return await write();
    } catch (error) {
      if (!lacksEpoch(error)) throw error;
      await epochs.restore(prefix, isLoss);
      return write();
    }
  }

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
    };
    const all = [eventsKey(prefix), epochKey(prefix), ...keys(prefix)];
    return [script, all, { ...common, ...args(prefix) }] as const;
  }

  return {
    /** For what lets somebody in, or keeps them in. */
    run(call: Call, work: Work, { isLoss }: { isLoss: boolean }): Promise<unknown> {
      const prefix = shards.prefixOf(call.sub);
      return inEpoch(prefix, isLoss, () =>
        redis.runConfirmed(...toRun(prefix, call, work), probeKey(prefix)),
      );
    },

    /** For what changes nothing, so that there is nothing to confirm. */
    look(call: Call, work: Work): Promise<unknown> {
      const prefix = shards.prefixOf(call.sub);
      return epochs.askBy(prefix, () => inEpoch(prefix, true, () => redis.run(...toRun(prefix, call, work))));
    },

    /** For what revokes, which the process remembers. Gives the script's verdict. */
    async revoke(call: Call, work: Work, prefix = shards.prefixOf(call.sub)): Promise<string> {
      const [verdict, eventId] = (await inEpoch(prefix, true, () =>
        redis.runConfirmed(...toRun(prefix, call, work), probeKey(prefix)),
      )) as [string, string];
      if (eventId !== "") epochs.witness(prefix, eventId);
      // Done already, perhaps by a try that nobody confirmed: what is confirmed now is all that came before.
      else if (redis.isConfirming) await epochs.witnessLast(prefix);
      return verdict;
    },
  };
}

/** The scripts' word for it; Redis puts its own before and behind. */
const lacksEpoch = (error: unknown) =>
  error instanceof CurfewError && error.cause instanceof Error && error.cause.message.includes("NOEPOCH");
