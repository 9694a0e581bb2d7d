import { CurfewError } from "../errors";
import { outsideBudgets, spend, withBudget } from "../redis/budget";
import { isCluster, type Redis } from "../redis/redis";
import { epochKey } from "./past/epochs";
import type { Past } from "./past/past";

/** Whether any of the keys exists that were asked about together, and which epoch Redis has. */
export type Found = { anyExists: boolean; epoch: string | null };

type Batch = { keys: string[]; found: Promise<Found> };

/** In one command: few enough not to hold Redis up. */
const KEYS_MAX = 128;

/**
 * Asks Redis whether any of some keys exists, together with everybody else who asks at the same moment: one round trip,
 * one write to the socket and one timer serve all of them.
 */
export function createLookUps(redis: Redis, past: Past) {
  const gathering = new Map<string, Batch>();

  // The entries come first: if the denylist is emptied in between, the epoch is gone as well.
  const ask = (prefix: string, keys: readonly string[]): Promise<Found> =>
    past.ask(prefix, () =>
      redis.ask(async (client) => {
        // In a cluster each key has its own command: while a slot moves to another node, each key is on one of the two,
        // and each command follows its own redirect.
        const commands = isCluster(client) ? keys.map((key) => client.exists(key)) : [client.exists(...keys)];
        const [epoch, ...counts] = await inOrder(commands, client.get(epochKey(prefix)));
        return { anyExists: counts.some((count) => count !== 0), epoch };
      }),
    );

  function gather(prefix: string): Batch {
    const keys: string[] = [];
    const found = new Promise<Found>((resolve, reject) => {
      // Once all sockets that have something to say have been read. Who comes later belongs to the next batch.
      setImmediate(() => {
        if (gathering.get(prefix) === batch) gathering.delete(prefix);
        withBudget(redis.timeoutMs, () => ask(prefix, keys)).then(resolve, (error: unknown) => {
          reject(unavailable(error));
        });
      });
    });
    // Whoever has no time left doesn't wait for it; if nobody does, its failure must not end the process.
    found.catch(() => undefined);
    const batch = { keys, found };
    gathering.set(prefix, batch);
    return batch;
  }

  return function lookUp(prefix: string, keys: readonly string[]): Promise<Found> {
    let batch = gathering.get(prefix);
    if (!batch || batch.keys.length + keys.length > KEYS_MAX) batch = outsideBudgets(() => gather(prefix));
    batch.keys.push(...keys);
    return spend(redis.timeoutMs, batch.found, unavailable);
  };
}

const unavailable = (cause: unknown) =>
  cause instanceof CurfewError ? cause : new CurfewError("denylist_unavailable", { cause });

const inOrder = async (counts: Promise<number>[], epoch: Promise<string | null>) => {
  const [all, last] = await Promise.all([Promise.all(counts), epoch]);
  return [last, ...all] as const;
};
