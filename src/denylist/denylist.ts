import { CurfewError } from "../errors";
import type { Redis } from "../redis";
import { jtiKey, sidKey } from "./entry";
import { epochKey, isEpoch, newEpoch } from "./epoch";

export type Denylist = {
  /** Refuses a verified token that the denylist, or the session it belongs to, or the epoch rules out. */
  assertNotRevoked(token: { sub: string; jti: string; sid: string; epoch: string }): Promise<void>;
  /** Refuses unless a check would get an answer now. */
  assertAnswering(): Promise<void>;
};

export function createDenylist(redis: Redis, prefix: string): Denylist {
  const assertEpoch = (value: unknown) => {
    if (value === null || isEpoch(value)) return;
    throw new CurfewError("denylist_unavailable", { cause: new Error("the epoch is malformed") });
  };

  return {
    async assertNotRevoked({ sub, jti, sid, epoch }) {
      // The entries first: were the denylist emptied between the two, the epoch would be gone as well.
      const [entries, current] = await redis.askAll((pipeline) =>
        pipeline.exists(jtiKey(prefix, jti), sidKey(prefix, sid)).get(epochKey(prefix)),
      );
      assertEpoch(current);
      if (current === null) await redis.ask((client) => client.set(epochKey(prefix), newEpoch(), "NX"));
      if (entries !== 0 || current !== epoch) {
        throw new CurfewError("token_revoked", { about: { sub, sid, jti } });
      }
    },

    async assertAnswering() {
      assertEpoch(await redis.ask((client) => client.get(epochKey(prefix))));
    },
  };
}
