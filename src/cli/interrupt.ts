import { setTimeout as sleep } from "node:timers/promises";

export type Interrupt = {
  readonly isStopped: boolean;
  /** Waits so long, or until it is stopped. */
  sleep(ms: number): Promise<void>;
};

/** The first Ctrl-C asks to stop, so that what runs can say how far it came. The second one ends the process. */
export function createInterrupt(): Interrupt {
  const stop = new AbortController();
  process.once("SIGINT", () => {
    stop.abort();
  });
  return {
    get isStopped() {
      return stop.signal.aborted;
    },
    sleep: (ms) => sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined),
  };
}
