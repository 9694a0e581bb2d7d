import type { Client } from "../../redis/commands";
import type { Copy } from "./copy";

/** Asks Redis about the keys that were touched, so that those that are gone cost no more questions. */
export type Doubts = {
  askSoon(): void;
  stop(): void;
};

type DoubtOptions = {
  /** The copy whose keys are in doubt; undefined while there is none. */
  copy: () => Copy | undefined;
  /** Asks as a check does. */
  ask: <T>(command: (client: Client) => Promise<T>) => Promise<T>;
};

const AT_ONCE = 250;
/** So that keys that are touched shortly after one another are asked about together. */
const GATHER_MS = 10;
const ASK_AGAIN_MS = 250;

export function createDoubts({ copy, ask }: DoubtOptions): Doubts {
  let timer: NodeJS.Timeout | undefined;
  let isAsking = false;

  async function askAbout(asked: Copy, keys: readonly string[]): Promise<void> {
    try {
      const counts = await ask((client) =>
        Promise.all(keys.map((key) => client.exists(Buffer.from(key, "latin1")))),
      );
      if (copy() !== asked) return;
      keys.forEach((key, at) => {
        asked.settle(key, counts[at] !== 0);
      });
    } catch (error) {
      for (const key of keys) asked.touch(key);
      throw error;
    }
  }

  async function askAll(): Promise<void> {
    isAsking = true;
    try {
      for (;;) {
        const asked = copy();
        const keys = asked?.takeDoubts(AT_ONCE) ?? [];
        if (!asked || keys.length === 0) return;
        await askAbout(asked, keys);
      }
    } catch {
      askIn(ASK_AGAIN_MS);
    } finally {
      isAsking = false;
    }
  }

  function askIn(ms: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (!isAsking) void askAll();
    }, ms).unref();
  }

  return {
    askSoon() {
      askIn(GATHER_MS);
    },

    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
