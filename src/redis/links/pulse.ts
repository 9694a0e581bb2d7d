import type { Redis as Node } from "ioredis";
import { inTime, outsideBudgets, TIME_UP } from "../budget";
import { moment, type Moment } from "../clock";
import { readInfo, type Info } from "../info";

/** Short enough that another Redis that answers instead, perhaps behind a proxy, is noticed within a second. */
const BEAT_MS = 700;

/**
 * Sends INFO over a connection, regularly and at once after a command went unanswered. If INFO isn't answered either,
 * the connection is dead, although TCP may take a quarter of an hour to notice: it is destroyed, and ioredis makes a
 * new one. (The socketTimeout of ioredis 5 outlives a reconnect and would end the new connection too.)
 */
export function watchPulse(
  node: Node,
  timeoutMs: number,
  onBeat: (info: Info, asked: Moment, answered: Moment) => void,
): { beat: () => Promise<void>; stop: () => void } {
  const limitMs = deadAfterMs(timeoutMs);
  let beating: Promise<void> | undefined;

  /** A user without the right to INFO gets an error, which is an answer too: Redis is alive. */
  async function askForInfo(): Promise<void> {
    const connection = node.stream;
    const asked = moment();
    const tell = (text: string) => {
      // An answer from a connection that has ended since says nothing about the next one.
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

  // Outside budgets: a connection may be made during a request, and INFO must not use up that request's time.
  function beat(): Promise<void> {
    if (node.status !== "ready") return Promise.resolve();
    beating ??= outsideBudgets(askForInfo).finally(() => {
      beating = undefined;
    });
    return beating;
  }

  endUnanswered(node, limitMs);
  const timer = setInterval(() => void beat(), BEAT_MS).unref();
  return {
    beat,
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** A connection on which nothing was answered for so long is dead. */
export const deadAfterMs = (timeoutMs: number) => Math.max(4 * timeoutMs, 1000);

/** A connection may be accepted but never answered: by a Redis that hangs, or by the kernel on its behalf. */
export function endUnanswered(node: Node, limitMs: number): void {
  node.on("connect", () => {
    const connection = node.stream;
    setTimeout(() => {
      if (node.status === "connect" && node.stream === connection) connection.destroy();
    }, limitMs).unref();
  });
}
