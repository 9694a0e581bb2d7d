import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A server's own clock, which stands in a file. */
export type Clock = {
  /** What the server is to be started with. */
  environment: NodeJS.ProcessEnv;
  /** From now on it is so much ahead of everybody else's. */
  set(aheadSeconds: number): void;
};

/**
 * By libfaketime, which must come before the C library; and that before jemalloc, which asks for the time before
 * libfaketime can tell it, so that both would wait for each other.
 */
export function createClock(dir: string): Clock {
  const file = join(dir, "clock");
  const set = (aheadSeconds: number) => {
    // Whoever reads it meanwhile must find one or the other.
    writeFileSync(`${file}.next`, `${aheadSeconds >= 0 ? "+" : ""}${aheadSeconds}s\n`);
    renameSync(`${file}.next`, file);
  };
  set(0);
  return {
    environment: {
      LD_PRELOAD: "/usr/$LIB/faketime/libfaketime.so.1 libc.so.6",
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DONT_RESET: "1",
    },
    set,
  };
}
