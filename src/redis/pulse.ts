import type { Redis as Node } from "ioredis";
import { inTime, outsideBudgets, TIME_UP } from "./budget";
import { readInfo, type Info } from "./info";

const BEAT_MS = 5000;

/**
 * Asks a connection how Redis is: every few seconds, and at once when something went unanswered. One that doesn't answer
 * that either is dead, though TCP may take a quarter of an hour to say so: it is destroyed, and ioredis makes a new one. (Its
 * own socketTimeout outlives a reconnect in version 5 and ends the new connection too.)
 */
export function watchPulse(
  node: Node,
  timeoutMs: number,
  onBeat: (info: Info) => void,
): { beat: () => void; stop: () => void } {
  const limitMs = Math.max(4 * timeoutMs, 1000);
  let isBeating = false;

  /** Whoever isn't allowed INFO gets an answer all the same: Redis lives. */
  async function askForInfo(): Promise<void> {
    const connection = node.stream;
    try {
      onBeat(readInfo(await inTime(limitMs, () => node.info())));
    } catch (error) {
      const message = error instanceof Error ? error.message : "";
      if (message === TIME_UP) connection.destroy();
      else if (message.startsWith("NOPERM")) onBeat(readInfo(""));
    }
  }

  async function beatOnce(): Promise<void> {
    if (isBeating || node.status !== "ready") return;
    isBeating = true;
    await askForInfo();
    isBeating = false;
  }

  // Connections are made where a request needs them, and would spend its time for ever.
  const beat = () => void outsideBudgets(beatOnce);

  // A connection that was accepted, and nothing more: by a Redis that hangs, or by the kernel in its name.
  node.on("connect", () => {
    const connection = node.stream;
    setTimeout(() => {
      if (node.status === "connect" && node.stream === connection) connection.destroy();
    }, limitMs).unref();
  });
  const timer = setInterval(beat, BEAT_MS).unref();
  return {
    beat,
    stop: () => {
      clearInterval(timer);
    },
  };
}
