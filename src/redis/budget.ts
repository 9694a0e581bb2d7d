import { AsyncLocalStorage } from "node:async_hooks";

/** How much time one request may spend on Redis, all its calls together. What several wait for at once counts once. */
type Budget = { leftMs: number; open: number; openedAt: number };

export const TIME_UP = "Redis did not answer in time";

const budgets = new AsyncLocalStorage<Budget>();

const createBudget = (totalMs: number): Budget => ({ leftMs: totalMs, open: 0, openedAt: 0 });

/** Runs what belongs to one request. Whatever it asks of Redis from then on shares the time. */
export const withBudget = <T>(totalMs: number, run: () => T): T => budgets.run(createBudget(totalMs), run);

/** Runs what belongs to no request, though one may have led to it: a connection's own doings. */
export const outsideBudgets = <T>(run: () => T): T => budgets.exit(run);

const leftOf = ({ leftMs, open, openedAt }: Budget) =>
  open === 0 ? leftMs : leftMs - (performance.now() - openedAt);

/** What is left for the request that is being answered; outside of one, what a single call may take. */
export function leftMs(callMs: number): number {
  const budget = budgets.getStore();
  return budget ? leftOf(budget) : callMs;
}

/** A call's result, or an error when the time is up. The call itself can't be taken back. */
export function inTime<T>(callMs: number, call: () => Promise<T>): Promise<T> {
  const budget = budgets.getStore() ?? createBudget(callMs);
  const left = leftOf(budget);
  if (left <= 0) return Promise.reject(new Error(TIME_UP));
  if (budget.open === 0) budget.openedAt = performance.now();
  budget.open += 1;
  return new Promise((resolve, reject) => {
    let isOver = false;
    function end(tell: () => void): void {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      budget.open -= 1;
      if (budget.open === 0) budget.leftMs -= performance.now() - budget.openedAt;
      tell();
    }
    const giveUp = () => {
      end(() => {
        reject(new Error(TIME_UP));
      });
    };
    // An answer that came while this process was busy with something else is an answer.
    const timer = setTimeout(() => setImmediate(giveUp), left);
    // What it throws at once is what came of it, too.
    (async () => call())().then(
      (value) => {
        end(() => {
          resolve(value);
        });
      },
      (error: unknown) => {
        end(() => {
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it came
          reject(error);
        });
      },
    );
  });
}
