import type { Redis as Node } from "ioredis";
import { inTime, outsideBudgets, TIME_UP } from "../budget";
import { moment, type Moment } from "../clock";
import { readInfo, type Info } from "../info";

/** Whoever answers in Redis's place, a proxy's other node perhaps, is known within a second, together with what looking again takes. */
const BEAT_MS = 700;

/**
 * Asks a connection how Redis is: all the time, and at once when something went unanswered. One that doesn't answer
 * that either is dead, though TCP may take a quarter of an hour to say so: it is destroyed, and ioredis makes a new one. (Its
 * own socketTimeout outlives a reconnect in version 5 and ends the new connection too.)
 */
export function watchPulse(
  node: Node,
  timeoutMs: number,
  onBeat: (info: Info, asked: Moment, answered: Moment) => void,
): { beat: () => Promise<void>; stop: () => void } {
  const limitMs = Math.max(4 * timeoutMs, 1000);
  let beating: Promise<void> | undefined;

  /** Whoever isn't allowed INFO gets an answer all the same: Redis lives. */
  async function askForInfo(): Promise<void> {
    const connection = node.stream;
    const asked = moment();
    const tell = (text: string) => {
      // What came on a connection that has ended since tells nothing of the next one.
      if (node.stream === connection && node.status === "ready") onBeat(readInfo(text), asked, moment());
    };
    try {
      tell(await inTime(limitMs, () => node.info()));
    } catch (error) {
      const message = error instanceof Error ? error.message : "";
      if (message === TIME_UP) connection.destroy();
      else if (message.startsWith("NOPERM")) tell("");
    }
  }

  // Connections are made where a request needs them, and would spend its time for ever.
  function beat(): Promise<void> {
    if (node.status !== "ready") return Promise.resolve();
    beating ??= outsideBudgets(askForInfo).finally(() => {
      beating = undefined;
    });
    return beating;
  }

  // A connection that was accepted, and nothing more: by a Redis that hangs, or by the kernel in its name.
  node.on("connect", () => {
    const connection = node.stream;
    setTimeout(() => {
      if (node.status === "connect" && node.stream === connection) connection.destroy();
    }, limitMs).unref();
  });
  const timer = setInterval(() => void beat(), BEAT_MS).unref();
  return {
    beat,
    stop: () => {
      clearInterval(timer);
    },
  };
}
