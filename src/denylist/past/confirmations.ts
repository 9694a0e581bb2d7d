import { CurfewError } from "../../errors";
import type { Redis } from "../../redis/redis";
import { probeKey } from "../entry";
import { repeat } from "./repeat";

/**
 * Whether replicas still follow the primary that we ask. A primary that is cut off together with us loses its replicas;
 * after a while, one of them is promoted, and people log out there without our noticing. By then, no answer of the old
 * primary may be believed.
 */
export type Confirmations = {
  /** Throws unless a write sent within the tolerance has been confirmed. */
  assertRecent(prefix: string): void;
  /** Whether it wouldn't throw. */
  isRecent: (prefix: string) => boolean;
  watch(prefixes: readonly string[]): () => void;
};

const PROBES_PER_TOLERANCE = 4;

/** Two clocks, because one stands still while the machine sleeps, and the other can be set back. */
const clocks = () => [performance.now(), Date.now()] as const;

/** With a tolerance of 0, it asks for nothing and refuses nothing. */
export function createConfirmations(redis: Redis, toleranceMs: number): Confirmations {
  const sentAt = new Map<string, ReturnType<typeof clocks>>();

  async function confirm(prefix: string): Promise<void> {
    const now = clocks();
    await redis.probe(probeKey(prefix));
    sentAt.set(prefix, now);
  }

  function ageMs(prefix: string): number {
    const [steady, wall] = sentAt.get(prefix) ?? [-Infinity, -Infinity];
    const [steadyNow, wallNow] = clocks();
    return Math.max(steadyNow - steady, wallNow - wall);
  }

  const isRecent = (prefix: string) => toleranceMs === 0 || ageMs(prefix) <= toleranceMs;

  return {
    isRecent,

    assertRecent(prefix) {
      if (isRecent(prefix)) return;
      throw new CurfewError("denylist_unavailable", {
        cause: Object.assign(new Error("no replica has confirmed anything lately"), {
          code: "NO_CONFIRMATION",
        }),
      });
    },

    watch(prefixes) {
      if (toleranceMs === 0) return () => undefined;
      const everyMs = toleranceMs / PROBES_PER_TOLERANCE;
      const loops = prefixes.map((prefix) => repeat(() => confirm(prefix), everyMs));
      return () => {
        for (const stop of loops) stop();
      };
    },
  };
}
