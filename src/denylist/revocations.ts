import type { Logger } from "pino";
import { loggable } from "../errors";
import { logEvent } from "../log/events";
import { outsideBudgets } from "../redis/budget";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import { epochKey } from "./past/epochs";
import { repeat } from "./past/repeat";
import { eventsKey, isLater } from "./events";
import { readRevocation, type Revocation } from "./revocation";

type Listener = (revocation: Revocation) => unknown;

export type Revocations = {
  /** Calls the listener once for whatever any instance revokes from now on. Returns an unsubscribe function. */
  follow(listener: Listener): () => void;
  close(): void;
};

/** `after` says where each shard's events ended when the listener was added; it isn't called for earlier ones. */
type Follower = { listener: Listener; after: Map<string, string> };

/** How far a shard's events have been read, and in which epoch. Undefined before the first look. */
type Place = { lastId: string; epoch: string | null };

type Event = [id: string, fields: string[]];

const POLL_MS = 250;
const BATCH = 1000;
const START = "0-0";

/**
 * Follows the event streams by polling. All questions go over one connection, in order, so that what this process
 * revokes after it began to follow is always delivered.
 */
export function createRevocations(redis: Redis, shards: Shards, log: Logger): Revocations {
  const followers = new Set<Follower>();
  let stop: (() => void) | undefined;

  function tell(to: readonly Follower[], revocation: Revocation): void {
    for (const follower of to) {
      if (followers.has(follower)) void call(follower.listener, revocation);
    }
  }

  /** A listener that throws or rejects must not affect the others. */
  async function call(listener: Listener, revocation: Revocation): Promise<void> {
    try {
      await listener(revocation);
    } catch (error) {
      logEvent(log, "a listener of onRevoked failed", { cause: reasonOf(error) });
    }
  }

  async function look(prefix: string): Promise<Place> {
    const [[last], epoch] = await redis.ask((client) =>
      Promise.all([client.xrevrange(eventsKey(prefix), "+", "-", "COUNT", 1), client.get(epochKey(prefix))]),
    );
    return { lastId: last?.[0] ?? START, epoch };
  }

  /** Returns the events after a place, and the next place. With `isLost`, what happened in between can't be known. */
  async function read(prefix: string, { lastId, epoch }: Place) {
    const [events, now, [last]] = await redis.ask((client) =>
      Promise.all([
        client.xrange(eventsKey(prefix), lastId, "+", "COUNT", BATCH + 1),
        client.get(epochKey(prefix)),
        client.xrevrange(eventsKey(prefix), "+", "-", "COUNT", 1),
      ]),
    );
    // The event at the place still exists, unless the stream went back in time or was trimmed beyond it.
    const isGone = lastId !== START && events[0]?.[0] !== lastId;
    const isLost = isGone || (epoch !== null && now !== epoch);
    const news = (events as Event[]).filter(([id]) => id !== lastId);
    const readTo = isLost ? (last?.[0] ?? START) : (news.at(-1)?.[0] ?? lastId);
    return { isLost, news, next: { lastId: readTo, epoch: now }, isMore: !isLost && news.length >= BATCH };
  }

  /** Returns an unsubscribe function. */
  function followShard(prefix: string): () => void {
    let place: Place | undefined;
    let isFailing = false;
    let isConnected = false;

    /** Delivers a batch of new events, and returns whether there are more. */
    async function step(): Promise<boolean> {
      // A listener that is added while we ask must not get this answer's events.
      const present = [...followers];
      if (!place) {
        place = await look(prefix);
        return false;
      }
      const { isLost, news, next, isMore } = await read(prefix, place);
      place = next;
      if (isLost) tell(present, { kind: "everything", at: new Date().toISOString() });
      else for (const event of news) tellEvent(present, prefix, event);
      return isMore;
    }

    async function catchUp(): Promise<void> {
      const wasConnected = isConnected;
      try {
        while (await step());
        isFailing = false;
      } catch (error) {
        // At start, the connection is still being made; and if that fails, the log says so.
        if (!wasConnected) return;
        if (!isFailing)
          logEvent(log, "onRevoked waits until Redis can be reached", { cause: reasonOf(error) });
        isFailing = true;
      }
    }

    let last = Promise.resolve();
    /** One after the other, so that no event is delivered twice. */
    const poll = () => (last = last.then(catchUp));

    void poll();
    // Begins before this process can have let anybody in.
    redis.firstContact.then(
      () => {
        isConnected = true;
        return poll();
      },
      () => undefined,
    );
    return repeat(poll, POLL_MS);
  }

  function start(): () => void {
    const stops = shards.prefixes.map(followShard);
    return () => {
      for (const stop of stops) stop();
    };
  }

  function tellEvent(present: readonly Follower[], prefix: string, [id, fields]: Event): void {
    const revocation = readRevocation(fields);
    if (!revocation) return;
    const behind = present.filter(({ after }) => isLater(id, after.get(prefix) ?? START));
    tell(behind, revocation);
  }

  function end(): void {
    stop?.();
    stop = undefined;
  }

  return {
    follow: (listener) =>
      outsideBudgets(() => {
        const follower: Follower = { listener, after: new Map() };
        followers.add(follower);
        for (const prefix of shards.prefixes) {
          look(prefix).then(
            ({ lastId }) => follower.after.set(prefix, lastId),
            // On failure the listener may get a few earlier events, which is better than missing one.
            () => undefined,
          );
        }
        stop ??= start();
        return () => {
          followers.delete(follower);
          if (followers.size === 0) end();
        };
      }),

    close() {
      followers.clear();
      end();
    },
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? loggable(error.cause) : loggable(error);
}
