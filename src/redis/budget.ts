import { AsyncLocalStorage } from "node:async_hooks";

/**
 * The time that one request may spend on Redis, in all its calls together. Time shared by parallel calls counts once.
 */
type Budget = { leftMs: number; open: number; openedAt: number };

export const TIME_UP = "Redis did not answer in time";

const budgets = new AsyncLocalStorage<Budget | undefined>();

const createBudget = (totalMs: number): Budget => ({ leftMs: totalMs, open: 0, openedAt: 0 });

/** Runs the code of one request. All its calls to Redis share the time. */
export const withBudget = <T>(totalMs: number, run: () => T): T => budgets.run(createBudget(totalMs), run);

/** Runs code in the current request's time, or outside a request in a time of its own. */
export const withinBudget = <T>(totalMs: number, run: () => T): T =>
  budgets.getStore() ? run() : withBudget(totalMs, run);

/** Runs code that belongs to no request, even if one caused it, such as a connection's own commands. */
export const outsideBudgets = <T>(run: () => T): T =>
  // Not exit(), which switches the tracking of all promises off and on again.
  budgets.getStore() ? budgets.run(undefined, run) : run();

const leftOf = ({ leftMs, open, openedAt }: Budget) =>
  open === 0 ? leftMs : leftMs - (performance.now() - openedAt);

/** The time left for the current request; outside a request, the time for a single call. */
export function leftMs(callMs: number): number {
  const budget = budgets.getStore();
  return budget ? leftOf(budget) : callMs;
}

function begin(budget: Budget): void {
  if (budget.open === 0) budget.openedAt = performance.now();
  budget.open += 1;
}

function end(budget: Budget): void {
  budget.open -= 1;
  if (budget.open === 0) budget.leftMs -= performance.now() - budget.openedAt;
}

/**
 * A result that several requests wait for, and that comes within `boundMs` or not at all: the time counts for each of
 * them, and only one that has less left than that needs a timer. The others may have more left, and get their answer.
 */
export function spend<T>(
  boundMs: number,
  shared: Promise<T>,
  refusalOf: (timeUp: unknown) => Error,
): Promise<T> {
  const budget = budgets.getStore();
  if (!budget) return shared;
  if (leftOf(budget) < boundMs) {
    return inTime(boundMs, () => shared).catch((error: unknown) => {
      throw refusalOf(error);
    });
  }
  begin(budget);
  const done = () => {
    end(budget);
  };
  shared.then(done, done);
  return shared;
}

/** Returns a call's result, or rejects when the time is up. The call itself can't be cancelled. */
export function inTime<T>(callMs: number, call: () => Promise<T>): Promise<T> {
  const budget = budgets.getStore() ?? createBudget(callMs);
  const left = leftOf(budget);
  if (left <= 0) return Promise.reject(new Error(TIME_UP));
  begin(budget);
  return new Promise((resolve, reject) => {
    let isOver = false;
    function finish(tell: () => void): void {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      end(budget);
      tell();
    }
    const giveUp = () => {
      finish(() => {
        reject(new Error(TIME_UP));
      });
    };
    // An answer that arrived while this process was busy still counts: setImmediate lets it be read first.
    const timer = setTimeout(() => setImmediate(giveUp), left);
    // The async function turns a synchronous throw into a rejection.
    const called = (async () => call())();
    const done = () => {
      finish(() => {
        resolve(called);
      });
    };
    called.then(done, done);
  });
}
