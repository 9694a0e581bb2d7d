import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { CurfewError } from "../errors";
import type { Client, Redis } from "../redis/redis";
import { readScript } from "../redis/script";
import { EVENTS_KEPT, eventsKey, isLater } from "./events";

export const epochKey = (prefix: string) => `${prefix}denylist:epoch`;

/**
 * Since when each denylist remembers: `<unix second>-<random>`. Tokens and sessions carry the epoch they were made in and
 * are refused in any other, so that nobody who logged out gets back in because Redis lost its memory.
 */
export type Epochs = {
  /**
   * To be awaited before Redis is asked. After a reconnect it makes sure that this is the Redis we knew: that it has its
   * epoch, and still knows the last revocation that it acknowledged to us. If not, a new epoch begins.
   */
  settle(prefix: string): Promise<void>;
  /** Asks a Redis that was settled before and is the same afterwards. */
  ask<T>(prefix: string, command: (client: Client) => Promise<T>): Promise<T>;
  /** The same, for what is asked in another way. */
  askBy<T>(prefix: string, ask: () => Promise<T>): Promise<T>;
  /** The epoch is missing. `isLoss`: something older was seen that proves that there was one. */
  restore(prefix: string, isLoss: boolean): Promise<string>;
  /** What Redis says the epoch is. Throws if that is none, and tells if it isn't the one we knew. */
  read(prefix: string, value: unknown): string;
  /** A genuine token carries an epoch that is over. Told once for each: it proves a loss, not a theft. */
  tellLost(prefix: string, epoch: string): void;
  /** Remembers an event that Redis has acknowledged; of several the last. */
  witness(prefix: string, eventId: string): void;
  witnessLast(prefix: string): Promise<void>;
  /**
   * Looks every few seconds, asked or not, whether this is still the Redis we know; and where no replica has to confirm, remembers
   * what others wrote too, because who is left may be the only one who knows. (Else it may be what nobody confirmed.) Gives what
   * stops it.
   */
  watch(prefixes: readonly string[]): () => void;
};

type Memory = { epoch?: string; eventId?: string; settledFor?: string; lost: Set<string> };

const BEGIN_EPOCH = readScript(join(__dirname, "begin-epoch.lua"));

export function createEpochs(redis: Redis, log: Logger): Epochs {
  const memories = new Map<string, Memory>();

  function memoryOf(prefix: string): Memory {
    const memory = memories.get(prefix) ?? { lost: new Set() };
    memories.set(prefix, memory);
    return memory;
  }

  const tellLost: Epochs["tellLost"] = (prefix, epoch) => {
    const { lost } = memoryOf(prefix);
    if (lost.has(epoch)) return;
    lost.add(epoch);
    log.error({ event: "denylist_lost", lost_epoch: epoch, prefix }, LOST);
  };

  const read: Epochs["read"] = (prefix, value) => {
    const memory = memoryOf(prefix);
    if (!isEpoch(value)) {
      throw new CurfewError("denylist_unavailable", { cause: new Error("the epoch is malformed") });
    }
    if (value !== memory.epoch) {
      if (memory.epoch !== undefined) tellLost(prefix, memory.epoch);
      memory.epoch = value;
      delete memory.eventId;
    }
    return value;
  };

  async function begin(prefix: string, over: string, isLoss: boolean): Promise<string> {
    const event = isLoss || memoryOf(prefix).epoch !== undefined ? "denylist_lost" : "denylist_began";
    const epoch = await redis.run(BEGIN_EPOCH, [epochKey(prefix), eventsKey(prefix)], {
      over,
      next: newEpoch(),
      event,
      now: new Date().toISOString(),
      events_kept: EVENTS_KEPT,
    });
    return read(prefix, epoch);
  }

  async function settleAnew(prefix: string): Promise<void> {
    const epoch = await redis.ask((client) => client.get(epochKey(prefix)));
    if (epoch === null) {
      await begin(prefix, "", false);
      return;
    }
    read(prefix, epoch);
    // Only now: what was remembered of another epoch tells nothing of this one.
    const { eventId } = memoryOf(prefix);
    if (eventId !== undefined && !(await remembers(prefix, eventId))) await begin(prefix, epoch, true);
  }

  /** An event that is gone was trimmed if all that are left are later; else Redis went back to before it. */
  async function remembers(prefix: string, eventId: string): Promise<boolean> {
    const key = eventsKey(prefix);
    const [[found], [oldest]] = await redis.ask((client) =>
      Promise.all([client.xrange(key, eventId, eventId), client.xrange(key, "-", "+", "COUNT", 1)]),
    );
    return found !== undefined || (oldest !== undefined && isLater(oldest[0], eventId));
  }

  const witness: Epochs["witness"] = (prefix, eventId) => {
    const memory = memoryOf(prefix);
    if (memory.eventId === undefined || isLater(eventId, memory.eventId)) memory.eventId = eventId;
  };

  const epochs: Epochs = {
    read,
    tellLost,

    async settle(prefix) {
      const memory = memoryOf(prefix);
      const generation = redis.generation(prefix);
      if (memory.settledFor === generation) return;
      await settleAnew(prefix);
      memory.settledFor = generation;
    },

    ask: (prefix, command) => epochs.askBy(prefix, () => redis.ask(command)),

    async askBy(prefix, ask) {
      for (;;) {
        const generation = redis.generation(prefix);
        await epochs.settle(prefix);
        const reply = await ask();
        if (redis.generation(prefix) === generation) return reply;
      }
    },

    restore: (prefix, isLoss) => begin(prefix, "", isLoss),
    witness,

    async witnessLast(prefix) {
      const [last] = await redis.ask((client) => lastEvent(client, prefix));
      if (last) witness(prefix, last[0]);
    },

    watch(prefixes) {
      const look = async (prefix: string) => {
        await epochs.settle(prefix);
        const known = { ...memoryOf(prefix) };
        const [epoch, [last]] = await redis.ask((client) =>
          Promise.all([client.get(epochKey(prefix)), lastEvent(client, prefix)]),
        );
        if (epoch === null) await begin(prefix, "", false);
        else if (read(prefix, epoch) !== known.epoch) return;
        // Redis went back in time without our connection having ended.
        else if (known.eventId !== undefined && !(last && !isLater(known.eventId, last[0])))
          await begin(prefix, epoch, true);
        else if (last && !redis.isConfirming) witness(prefix, last[0]);
      };
      // When it fails there is no Redis to be had, which others tell.
      const timer = setInterval(() => void Promise.allSettled(prefixes.map(look)), WATCH_MS).unref();
      return () => {
        clearInterval(timer);
      };
    },
  };
  return epochs;
}

const lastEvent = (client: Client, prefix: string) =>
  client.xrevrange(eventsKey(prefix), "+", "-", "COUNT", 1);

const WATCH_MS = 5000;

const LOST =
  "the denylist was lost: whatever was issued before is refused, and everybody has to log in again";

const newEpoch = () => `${Math.floor(Date.now() / 1000)}-${randomBytes(9).toString("hex")}`;

/** Its first second. */
export const beganAt = (epoch: string) => Number.parseInt(epoch, 10);

const isEpoch = (value: unknown): value is string =>
  typeof value === "string" && /^\d+-[A-Za-z0-9]+$/.test(value);
