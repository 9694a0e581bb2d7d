import { CurfewError } from "../errors";
import { spend, withBudget } from "../redis/budget";
import { isCluster, type Client } from "../redis/commands";
import type { Redis } from "../redis/redis";
import { epochKey } from "./past/epochs";
import type { Past } from "./past/past";

/** Whether any of the keys exists that were asked about, and which epoch Redis has. */
export type Found = { anyExists: boolean; epoch: string | null };

/** What is asked at the same moment: the keys of each, and how many of them exist. */
type Batch = { asked: (readonly string[])[]; found: Promise<{ counts: number[]; epoch: string | null }> };

/**
 * Asks Redis whether any of some keys exists, together with everybody else who asks at the same moment: one round trip,
 * one write to the socket and one timer serve all of them. Each has its own answer, so that nobody has to ask again
 * because somebody else's entry exists.
 */
export function createLookUps(redis: Redis, past: Past) {
  const gathering = new Map<string, Batch>();

  // The entries come first: if the denylist is emptied in between, the epoch is gone as well.
  const ask = (prefix: string, asked: Batch["asked"]): Batch["found"] =>
    past.ask(prefix, () =>
      redis.ask(async (client) => {
        const counts = asked.map((keys) => countExisting(client, keys));
        const [all, epoch] = await Promise.all([Promise.all(counts), client.get(epochKey(prefix))]);
        return { counts: all, epoch };
      }),
    );

  function gather(prefix: string): Batch {
    const asked: Batch["asked"] = [];
    const found: Batch["found"] = new Promise((resolve, reject) => {
      // Once all sockets that have something to say have been read. Who comes later belongs to the next batch.
      setImmediate(() => {
        gathering.delete(prefix);
        withBudget(redis.timeoutMs, () => ask(prefix, asked)).then(resolve, (error: unknown) => {
          reject(unavailable(error));
        });
      });
    });
    // Whoever has no time left doesn't wait for it; if nobody does, its failure must not end the process.
    found.catch(() => undefined);
    const batch = { asked, found };
    gathering.set(prefix, batch);
    return batch;
  }

  return async function lookUp(prefix: string, keys: readonly string[]): Promise<Found> {
    const batch = gathering.get(prefix) ?? gather(prefix);
    const at = batch.asked.push(keys) - 1;
    const { counts, epoch } = await spend(redis.timeoutMs, batch.found, unavailable);
    return { anyExists: counts[at] !== 0, epoch };
  };
}

/** In a cluster, while a slot moves, each key is on one of two nodes: each command then follows its own redirect. */
async function countExisting(client: Client, keys: readonly string[]): Promise<number> {
  if (!isCluster(client)) return client.exists(...keys);
  const counts = await Promise.all(keys.map((key) => client.exists(key)));
  return counts.reduce((sum, count) => sum + count, 0);
}

const unavailable = (cause: unknown) =>
  cause instanceof CurfewError ? cause : new CurfewError("denylist_unavailable", { cause });
