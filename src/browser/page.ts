/** What a browser gives a page, as far as the client uses it. Curfew's code is otherwise compiled for Node. */

type Locks = { request<T>(name: string, task: () => Promise<T>): Promise<T> };

declare const location: { href: string; origin: string };
declare const navigator: { locks?: Locks };

/** An address as the page means it. */
export const toUrl = (address: string) => new URL(address, location.href);

export const ownOrigin = () => location.origin;

/**
 * Returns a function that runs one task at a time, in all tabs. Browsers have no locks on plain http: there it is one
 * at a time in this tab, and Curfew's grace for refresh tokens covers the rest.
 */
export function createLock(name: string): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    if (navigator.locks) return navigator.locks.request(name, task);
    const run = last.then(task, task);
    last = run;
    return run;
  };
}
