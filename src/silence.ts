/** Notices that a connection is dead although nobody closed it. */
export type SilenceWatch = { timedOut(askedAt: number): void; heard(): void };

export const neverSilent: SilenceWatch = { timedOut: () => undefined, heard: () => undefined };

/**
 * A connection on which nothing but timeouts happened for so long is dead, though TCP may take a quarter of an hour to
 * say so. ioredis's socketTimeout would do, but in version 5 it outlives a reconnect and ends the new connection.
 */
export function createSilenceWatch(limitMs: number, replaceConnection: () => void): SilenceWatch {
  let silentSince: number | undefined;
  return {
    timedOut(askedAt) {
      silentSince ??= askedAt;
      if (Date.now() - silentSince < limitMs) return;
      silentSince = undefined;
      replaceConnection();
    },
    heard() {
      silentSince = undefined;
    },
  };
}
