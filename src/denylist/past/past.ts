import { CurfewError } from "../../errors";
import type { Client } from "../../redis/commands";
import type { Redis, Way } from "../../redis/redis";
import { createClockWatch, type ClockWatch } from "./clock-watch";
import type { Confirmations } from "./confirmations";
import { epochKey, type Epochs } from "./epochs";
import { eventsKey, isLater } from "../events";
import { repeat } from "./repeat";

/**
 * Whether the Redis that answers is the one that we knew. A read is believed, and a write counts as done, only if the
 * same past answered before and after: its epoch isn't one that we saw end, it has exactly the event that it last
 * acknowledged to us, and its clock was not set ahead. Otherwise a new epoch begins. We look again whenever another
 * Redis may be answering.
 */
export type Past = {
  /**
   * Runs a read, which is told in which epoch, and returns its answer if the Redis that gave it was the one we knew,
   * before and after.
   */
  ask<T>(prefix: string, ask: (epoch: string) => Promise<T>): Promise<T>;
  /**
   * Runs a write that leaves no event to look for: throws unless it is certain to have reached the Redis that counts.
   */
  write<T>(prefix: string, write: () => Promise<T>): Promise<T>;
  /** Runs a write that ends with an event, whose id must be its last result. From then on we remember that event. */
  writeEvent<T extends [...unknown[], string]>(prefix: string, write: () => Promise<T>): Promise<T>;
  /** Names the Redis that answers reads, and its epoch. Undefined if that has to be found out first, as `ask` does. */
  present(prefix: string): Present | undefined;
  /** Whether no other Redis may have answered since then, nor another epoch. So it is while none can be reached. */
  isStill(prefix: string, present: Present): boolean;
  /** Whether replicas have confirmed a write as lately as a read must be believed only then. */
  isConfirmed: (prefix: string) => boolean;
  /** The last event that Redis acknowledged to us in this epoch. Scripts refuse to write where it is missing. */
  witnessed(prefix: string): string | undefined;
  /**
   * Keeps looking: at once if another Redis may be answering, and every few seconds anyway. Returns a function that
   * stops it.
   */
  watch(prefixes: readonly string[]): () => void;
};

/** Who answers, and in which epoch. While nothing changes it is the same object, so that it costs nothing to compare. */
export type Present = { readonly generation: string; readonly epoch: string };

type Memory = {
  /** For each connection, what was last found to be the Redis that we knew. */
  settledFor: Map<Way, Present>;
  /** The last event that Redis acknowledged to us, and its epoch. */
  witnessed?: { epoch: string; eventId: string };
  clock: ClockWatch;
};

export function createPast(redis: Redis, epochs: Epochs, confirmations: Confirmations): Past {
  const memories = new Map<string, Memory>();
  const [reading = "checking"] = redis.ways;
  const writing = redis.ways.at(-1) ?? reading;

  function memoryOf(prefix: string): Memory {
    const memory = memories.get(prefix) ?? { settledFor: new Map(), clock: createClockWatch() };
    memories.set(prefix, memory);
    return memory;
  }

  async function look(prefix: string, way: Way): Promise<void> {
    const memory = memoryOf(prefix);
    const generation = redis.generation(way, prefix);
    const { witnessed: before, clock } = memory;
    const knownThen = epochs.known(prefix);
    const sight = await redis.askBy(way, prefix, (client) => see(client, prefix, before?.eventId));
    const lead = redis.steadyLead(way, prefix);
    const known = before?.epoch === sight.epoch ? before : undefined;
    const isLoss =
      clock.hasJumped(sight.epoch, lead) || (known !== undefined && sight.remembered === undefined);
    const epoch = await (isLoss
      ? epochs.begin(prefix, sight.epoch)
      : epochs.current(prefix, sight.epoch, knownThen));
    if (generation === undefined || redis.generation(way, prefix) !== generation) return;
    const settled = memory.settledFor.get(way);
    if (settled?.generation !== generation || settled.epoch !== epoch) {
      memory.settledFor.set(way, { generation, epoch });
    }
    clock.remember(epoch, lead);
    if (known && memory.witnessed === known && sight.remembered !== undefined) {
      memory.witnessed = { ...known, eventId: sight.remembered };
    }
    // Another instance's event, too, is ours to remember: we may be the only one left that knows it. But not where
    // replicas confirm, because none may have confirmed this one; and not if its epoch has ended since we asked.
    const isOfNow = sight.epoch === epochs.known(prefix);
    if (isOfNow && writing === reading && sight.lastEventId !== undefined) witness(prefix, sight.lastEventId);
  }

  /** Undefined unless who answers now, and in which epoch, was found to be what we knew. */
  function presentOf(prefix: string, way: Way): Present | undefined {
    const settled = memoryOf(prefix).settledFor.get(way);
    const isNow =
      settled?.generation === redis.generation(way, prefix) && settled?.epoch === epochs.known(prefix);
    return isNow ? settled : undefined;
  }

  async function settle(prefix: string, way: Way): Promise<Present> {
    for (;;) {
      const present = presentOf(prefix, way);
      if (present !== undefined) return present;
      await look(prefix, way);
    }
  }

  /** Looks again if another Redis may be answering, and keeps up with its clock. */
  async function keepUp(prefix: string, way: Way): Promise<void> {
    await settle(prefix, way);
    const epoch = epochs.known(prefix);
    if (epoch !== undefined) memoryOf(prefix).clock.keepUp(epoch, redis.steadyLead(way, prefix));
  }

  async function remembers(prefix: string, eventId: string): Promise<boolean> {
    if (eventId === "") return false;
    const sight = await redis.askBy(writing, prefix, (client) => see(client, prefix, eventId));
    return sight.remembered === eventId;
  }

  function witnessed(prefix: string): string | undefined {
    const known = memoryOf(prefix).witnessed;
    return known?.epoch === epochs.known(prefix) ? known?.eventId : undefined;
  }

  /** Remembers the latest event. */
  function witness(prefix: string, eventId: string): void {
    const epoch = epochs.known(prefix);
    const before = witnessed(prefix);
    if (!redis.mayForget) return;
    if (epoch === undefined || (before !== undefined && !isLater(eventId, before))) return;
    memoryOf(prefix).witnessed = { epoch, eventId };
  }

  /** Runs something in the past that we know. If its script finds another past, looks again and runs it once more. */
  async function inThePast<T>(prefix: string, way: Way, run: (epoch: string) => Promise<T>) {
    let present = await settle(prefix, way);
    try {
      return { present, reply: await run(present.epoch) };
    } catch (error) {
      if (!isOfAnotherPast(error)) throw error;
      memoryOf(prefix).settledFor.delete(way);
      present = await settle(prefix, way);
      return { present, reply: await run(present.epoch) };
    }
  }

  return {
    async ask(prefix, ask) {
      for (;;) {
        const { present, reply } = await inThePast(prefix, reading, ask);
        if (presentOf(prefix, reading) !== present) continue;
        confirmations.assertRecent(prefix);
        return reply;
      }
    },

    async write(prefix, write) {
      const { present, reply } = await inThePast(prefix, writing, write);
      if (presentOf(prefix, writing) !== present) throw unsure();
      return reply;
    },

    async writeEvent(prefix, write) {
      const { present, reply } = await inThePast(prefix, writing, write);
      const eventId = reply.at(-1) as string;
      for (let sure = present; presentOf(prefix, writing) !== sure;) {
        // First look for the event that we remember, then for this one, which may be there although the other was lost.
        sure = await settle(prefix, writing);
        if (!(await remembers(prefix, eventId))) throw unsure();
      }
      if (eventId !== "") witness(prefix, eventId);
      return reply;
    },

    present: (prefix) => presentOf(prefix, reading),

    isStill(prefix, present) {
      const now = presentOf(prefix, reading);
      if (now !== undefined) return now === present;
      return redis.generation(reading, prefix) === undefined;
    },

    isConfirmed: confirmations.isRecent,

    witnessed,

    watch(prefixes) {
      const each = (work: typeof look, everyMs: number) =>
        prefixes.flatMap((prefix) => redis.ways.map((way) => repeat(() => work(prefix, way), everyMs)));
      const loops = [...each(keepUp, SETTLE_MS), ...each(look, LOOK_MS), confirmations.watch(prefixes)];
      return () => {
        for (const stop of loops) stop();
      };
    },
  };
}

/** What Redis says about its past: its epoch, whether it has the event, and its last event. */
async function see(client: Client, prefix: string, eventId: string | undefined) {
  const key = eventsKey(prefix);
  const [epoch, [last], [found]] = await Promise.all([
    client.get(epochKey(prefix)),
    client.xrevrange(key, "+", "-", "COUNT", 1),
    eventId === undefined ? [] : client.xrange(key, eventId, eventId),
  ]);
  const isMissing = eventId !== undefined && found === undefined;
  const remembered = isMissing ? await oldestSince(client, key, eventId) : eventId;
  return { epoch, remembered, lastEventId: last?.[0] };
}

/**
 * Returns the event that takes the place of one that was trimmed, in which case all that are left are later ones.
 * Otherwise Redis went back to before it, and the result is undefined.
 */
async function oldestSince(client: Client, key: string, eventId: string): Promise<string | undefined> {
  const [oldest] = await client.xrange(key, "-", "+", "COUNT", 1);
  return oldest !== undefined && isLater(oldest[0], eventId) ? oldest[0] : undefined;
}

/** The scripts' error codes. Redis adds words of its own before and after them. */
const isOfAnotherPast = (error: unknown) =>
  error instanceof CurfewError &&
  error.cause instanceof Error &&
  /NOEPOCH|FORGOTTEN/.test(error.cause.message);

const unsure = () =>
  new CurfewError("denylist_unavailable", {
    cause: new Error("another Redis may answer now, and whether it has what was written isn't known"),
  });

/** Often, because nothing is asked while nothing has changed. */
const SETTLE_MS = 200;
const LOOK_MS = 5000;
