import { CurfewError } from "../errors";

/** How many jobs run, and how many wait. */
export type QueueState = { running: number; waiting: number };

/** Runs at most `maxRunning` jobs at a time, lets at most `maxWaiting` wait, and refuses the rest as `overloaded`. */
export function createQueue(maxRunning: number, maxWaiting: number) {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running < maxRunning) running += 1;
    else if (waiting.length < maxWaiting) await new Promise<void>((resolve) => waiting.push(resolve));
    else throw new CurfewError("overloaded");
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  }

  return { inTurn, state: (): QueueState => ({ running, waiting: waiting.length }) };
}
