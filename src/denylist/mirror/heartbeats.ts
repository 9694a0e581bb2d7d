import { randomBytes } from "node:crypto";
import type { Client } from "../../redis/commands";
import { epochKey } from "../past/epochs";
import { createFreshness, type Freshness } from "./freshness";

/** What shows how fresh the mirror is, and whether Redis still tells what changes. */
export type Heartbeats = Pick<Freshness, "doubt" | "restart" | "isFresh" | "ageMs"> & {
  /** What the keys of this process's heartbeats begin with. */
  readonly prefix: string;
  /** Resolves when Redis has acknowledged one, which may not be heard yet, or doesn't. */
  send(): Promise<void>;
  /** Sends one now, or right after the one that is under way. */
  sendSoon: () => void;
  /** Redis told of a heartbeat's key. */
  heard(key: string): void;
};

type HeartbeatOptions = {
  prefix: string;
  /** Asks as a check does. */
  ask: <T>(command: (client: Client) => Promise<T>) => Promise<T>;
  /** Whether the copy belongs to the Redis that has just answered, with this epoch. */
  isStill: (epoch: string | null) => boolean;
  /** A heartbeat that was acknowledged isn't heard. */
  onDeaf: () => void;
};

/** Redis tells of it when it is written, so it may be forgotten soon. */
const LIVES_MS = 1000;
/** A connection on which an acknowledged heartbeat isn't heard for so long is dead. */
const DEAF_AFTER_MS = 1000;

export function createHeartbeats(options: HeartbeatOptions, maxStalenessMs: number): Heartbeats {
  const { ask, isStill, onDeaf } = options;
  // Each has a key of its own, so that one that comes late isn't taken for the next. The other instances aren't told of
  // them.
  const prefix = `${options.prefix}mirror:${randomBytes(8).toString("hex")}:`;
  const freshness = createFreshness(maxStalenessMs);
  let isSending = false;
  let isDue = false;

  async function send(): Promise<void> {
    const beat = freshness.begin();
    try {
      const [, epoch] = await ask((client) =>
        Promise.all([
          client.set(`${prefix}${beat}`, "", "PX", LIVES_MS),
          client.get(epochKey(options.prefix)),
        ]),
      );
      if (isStill(epoch)) freshness.answered(beat);
    } catch {
      // Redis is away, or accepts no writes, which is reported elsewhere.
      freshness.failed(beat);
    }
    if (freshness.isDeaf(DEAF_AFTER_MS)) onDeaf();
  }

  async function sendWhileDue(): Promise<void> {
    isSending = true;
    while (isDue) {
      isDue = false;
      await send();
    }
    isSending = false;
  }

  return {
    ...freshness,
    prefix,
    send,

    sendSoon() {
      isDue = true;
      if (!isSending) void sendWhileDue();
    },

    heard(key) {
      freshness.heard(Number(key.slice(prefix.length)));
    },
  };
}
