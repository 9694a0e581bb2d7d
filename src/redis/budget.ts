import { AsyncLocalStorage } from "node:async_hooks";

/** How much time one request may spend on Redis, all its commands together. */
type Budget = { leftMs: number };

export const TIME_UP = "Redis did not answer in time";

const budgets = new AsyncLocalStorage<Budget>();

/** Runs what belongs to one request. Whatever it asks of Redis from then on shares the time. */
export const withBudget = <T>(totalMs: number, run: () => T): T => budgets.run({ leftMs: totalMs }, run);

/** What is left for the request that is being answered; outside of one, what a single call may take. */
export const leftMs = (callMs: number) => budgets.getStore()?.leftMs ?? callMs;

/** A call's result, or an error when the time is up. The call itself can't be taken back. */
export async function inTime<T>(callMs: number, call: () => Promise<T>): Promise<T> {
  const budget = budgets.getStore() ?? { leftMs: callMs };
  if (budget.leftMs <= 0) throw new Error("no time is left for Redis in this request");
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      // An answer that came while this process was busy with something else is an answer.
      setImmediate(reject, new Error(TIME_UP));
    }, budget.leftMs);
  });
  try {
    return await Promise.race([call(), timeUp]);
  } finally {
    clearTimeout(timer);
    budget.leftMs -= performance.now() - startedAt;
  }
}
