import { CurfewError } from "../errors";
import type { Redis } from "../redis/redis";
import type { Shards } from "../shards";
import { jtiKey, probeKey, sidKey } from "./entry";
import { epochKey, type Epochs } from "./epochs";

export type Denylist = {
  /** Refuses a verified token that the denylist, or the session it belongs to, or the epoch rules out. */
  assertNotRevoked(token: { sub: string; jti: string; sid: string; epoch: string }): Promise<void>;
  /** Refuses unless a check would get an answer now, in every shard. */
  assertAnswering(): Promise<void>;
  /** Refuses unless a logout could be written now, in every shard. */
  assertWritable(): Promise<void>;
};

export function createDenylist(redis: Redis, shards: Shards, epochs: Epochs): Denylist {
  return {
    async assertNotRevoked({ sub, jti, sid, epoch }) {
      const prefix = shards.prefixOf(sub);
      await epochs.settle(prefix);
      // One key for each EXISTS: while a slot moves to another node, two of which neither is there can't be asked together.
      // The entries first: were the denylist emptied between the two, the epoch would be gone as well.
      const [byJti, bySid, value] = await redis.askAll((pipeline) =>
        pipeline.exists(jtiKey(prefix, jti)).exists(sidKey(prefix, sid)).get(epochKey(prefix)),
      );
      const current = value === null ? await epochs.restore(prefix, true) : epochs.read(prefix, value);
      if (byJti !== 0 || bySid !== 0) throw new CurfewError("token_revoked", { about: { sub, sid, jti } });
      if (current !== epoch) {
        epochs.tellLost(prefix, epoch);
        throw new CurfewError("token_revoked", { about: { sub, sid, jti }, isNews: false });
      }
    },

    async assertAnswering() {
      await Promise.all(
        shards.prefixes.map(async (prefix) => {
          await epochs.settle(prefix);
          const value = await redis.ask((client) => client.get(epochKey(prefix)));
          if (value === null) await epochs.restore(prefix, false);
          else epochs.read(prefix, value);
        }),
      );
    },

    async assertWritable() {
      await Promise.all(
        shards.prefixes.map((prefix) =>
          redis.ask((client) => client.set(probeKey(prefix), "", "PX", 60_000)),
        ),
      );
    },
  };
}
