/** What has been started and not yet stopped, the last one at the end. */
const running: (() => unknown)[] = [];

/**
 * Starts something before the tests of a file, or of a describe, and stops it after them. Several are started one after
 * another, and stopped the other way round. What is returned has its members once the tests and later hooks run.
 */
export function use<T extends { stop(): unknown }>(start: () => T | Promise<T>, timeoutMs?: number): T {
  const used = {};
  beforeAll(async () => {
    const starting = Promise.resolve().then(start);
    // Before it has started, so that a failed start is matched by an afterAll too.
    running.push(async () => (await starting.catch(() => undefined))?.stop());
    Object.defineProperties(used, Object.getOwnPropertyDescriptors(await starting));
  }, timeoutMs);
  afterAll(() => running.pop()?.());
  return used as T;
}
