import type { Redis as Node } from "ioredis";
import { inTime, outsideBudgets, TIME_UP } from "./budget";
import { readInfo, type Info } from "./info";

const BEAT_MS = 1000;

/**
 * Asks a connection once a second how Redis is. One that doesn't answer is dead, though TCP may take a quarter of an hour
 * to say so: it is destroyed, and ioredis makes a new one. (Its own socketTimeout outlives a reconnect in version 5 and
 * ends the new connection too.)
 */
export function watchPulse(
  node: Node,
  timeoutMs: number,
  onBeat: (info: Info) => void,
): { beat: () => Promise<void>; stop: () => void } {
  const limitMs = Math.max(4 * timeoutMs, BEAT_MS);
  let waitingSince: number | undefined;
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

  async function beat(): Promise<void> {
    if (isBeating) return;
    isBeating = true;
    if (node.status === "ready") await askForInfo();
    // A connection was accepted, and nothing more: by a Redis that hangs, or by the kernel in its name.
    if (node.status !== "connect") waitingSince = undefined;
    else if (Date.now() - (waitingSince ??= Date.now()) >= limitMs) node.stream.destroy();
    isBeating = false;
  }

  // Connections are made where a request needs them, and would spend its time for ever.
  const beatAlone = () => outsideBudgets(beat);
  const timer = setInterval(() => void beatAlone(), BEAT_MS).unref();
  return {
    beat: beatAlone,
    stop: () => {
      clearInterval(timer);
    },
  };
}
