import { CurfewError } from "../errors";
import type { Redis } from "../redis/redis";
import type { Shards } from "../shards";
import type { AccessToken } from "../tokens/access-tokens";
import type { ForeignToken } from "../tokens/foreign-tokens";
import type { Token } from "../tokens/tokens";
import { foreign, jtiKey, probeKey, sidKey, subKey } from "./entry";
import { beganAt, epochKey, type Epochs } from "./epochs";

export type Denylist = {
  /** Refuses a verified token that the denylist, or the session it belongs to, or the epoch rules out. */
  assertNotRevoked(token: Token): Promise<void>;
  /** Refuses unless a check would get an answer now, in every shard. */
  assertAnswering(): Promise<void>;
  /** Refuses unless a logout could be written now, in every shard. */
  assertWritable(): Promise<void>;
};

const PROBE_MS = 60_000;

export function createDenylist(redis: Redis, shards: Shards, epochs: Epochs): Denylist {
  // One key for each EXISTS: while a slot moves to another node, two of which neither is there can't be asked together.
  // The entries first: were the denylist emptied between the two, the epoch would be gone as well.
  async function assertOwn({ sub, jti, sid, epoch }: AccessToken): Promise<void> {
    const prefix = shards.prefixOf(sub);
    await epochs.settle(prefix);
    const [byJti, bySid, value] = await redis.askAll((pipeline) =>
      pipeline.exists(jtiKey(prefix, jti)).exists(sidKey(prefix, sid)).get(epochKey(prefix)),
    );
    const current = value === null ? await epochs.restore(prefix, true) : epochs.read(prefix, value);
    if (byJti !== 0 || bySid !== 0) throw new CurfewError("token_revoked", { about: { sub, sid, jti } });
    if (current !== epoch) {
      epochs.tellLost(prefix, epoch);
      throw new CurfewError("token_revoked", { about: { sub, sid, jti }, isNews: false });
    }
  }

  async function assertForeign({ issuer, subId, jti, sid, iat, sinceEpoch }: ForeignToken): Promise<void> {
    const sub = foreign(issuer, subId);
    const prefix = shards.prefixOf(sub);
    await epochs.settle(prefix);
    const [bySub, byJti, bySid, value] = await redis.askAll((pipeline) =>
      pipeline
        .get(subKey(prefix, sub))
        .exists(jtiKey(prefix, foreign(issuer, jti)))
        // Without a session the same again, which is cheaper than a second form of all this.
        .exists(sid === undefined ? jtiKey(prefix, foreign(issuer, jti)) : sidKey(prefix, foreign(issuer, sid)))
        .get(epochKey(prefix)),
    );
    const current = value === null ? await epochs.restore(prefix, false) : epochs.read(prefix, value);
    const about = { sub, jti, ...(sid !== undefined && { sid }) };
    if (byJti !== 0 || bySid !== 0 || isCutOff(bySub as string | null, iat)) {
      throw new CurfewError("token_revoked", { about });
    }
    if (sinceEpoch && iat < beganAt(current)) throw new CurfewError("token_revoked", { about, isNews: false });
  }

  return {
    assertNotRevoked: (token) => ("issuer" in token ? assertForeign(token) : assertOwn(token)),

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
          redis.ask((client) => client.set(probeKey(prefix), "", "PX", PROBE_MS)),
        ),
      );
    },
  };
}

/** Whatever somebody wrote there by hand has no cutoff, and denies every token of the subject. */
function isCutOff(entry: string | null, iat: number): boolean {
  if (entry === null) return false;
  const [, cutoff] = /"cutoff":(\d+)/.exec(entry) ?? [];
  return cutoff === undefined || iat <= Number(cutoff);
}
