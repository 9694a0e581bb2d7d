import { CurfewError } from "../errors";
import type { Client, Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import type { AccessToken } from "../tokens/access-tokens";
import type { ForeignToken } from "../issuers/foreign-tokens";
import { foreign, foreignKeys, jtiKey, probeKey, sidKey } from "./entry";
import { beganAt, epochKey, type Epochs } from "./past/epochs";
import type { Past } from "./past/past";

export type Denylist = {
  /**
   * Throws `token_revoked` for a verified token that its own entry, its session's or its subject's denies, or that is
   * from before the epoch.
   */
  assertNotRevoked(token: AccessToken | ForeignToken): Promise<void>;
  /** Throws unless a check would get an answer now, in every shard. */
  assertAnswering(): Promise<void>;
  /** Throws unless a logout could be written now, in every shard. */
  assertWritable(): Promise<void>;
};

export function createDenylist(redis: Redis, shards: Shards, epochs: Epochs, past: Past): Denylist {
  const ask = <T>(prefix: string, command: (client: Client) => Promise<T>) =>
    past.ask(prefix, () => redis.ask(command));

  // One key per command: while a slot moves to another node, each key is on one of the two, and each command follows
  // its own redirect. The entries come first: if the denylist is emptied in between, the epoch is gone as well.
  async function assertOwn({ sub, jti, sid, epoch }: AccessToken): Promise<void> {
    const prefix = shards.prefixOf(sub);
    const [byJti, bySid, value] = await ask(prefix, (client) =>
      Promise.all([
        client.exists(jtiKey(prefix, jti)),
        client.exists(sidKey(prefix, sid)),
        client.get(epochKey(prefix)),
      ]),
    );
    const current = await epochs.current(prefix, value);
    if (byJti !== 0 || bySid !== 0) throw new CurfewError("token_revoked", { about: { sub, sid, jti } });
    if (current !== epoch) {
      epochs.tellLost(prefix, epoch);
      throw new CurfewError("token_revoked", { about: { sub, sid, jti }, raisesEvent: false });
    }
  }

  async function assertForeign(token: ForeignToken): Promise<void> {
    const { jti, sid, iat, sinceEpoch } = token;
    const sub = foreign(token.issuer, token.sub);
    const prefix = shards.prefixOf(sub);
    const keys = foreignKeys(prefix, token);
    const [bySub, byJti, bySid, value] = await ask(prefix, (client) =>
      Promise.all([
        client.get(keys.sub),
        client.exists(keys.jti),
        keys.sid === undefined ? 0 : client.exists(keys.sid),
        client.get(epochKey(prefix)),
      ]),
    );
    const current = await epochs.current(prefix, value);
    const about = { sub, jti, ...(sid !== undefined && { sid }) };
    if (byJti !== 0 || bySid !== 0 || isCutOff(bySub, Math.floor(iat))) {
      throw new CurfewError("token_revoked", { about });
    }
    if (sinceEpoch && iat < beganAt(current))
      throw new CurfewError("token_revoked", { about, raisesEvent: false });
  }

  return {
    assertNotRevoked: (token) => (token.kind === "foreign" ? assertForeign(token) : assertOwn(token)),

    async assertAnswering() {
      await Promise.all(
        shards.prefixes.map(async (prefix) => {
          const value = await ask(prefix, (client) => client.get(epochKey(prefix)));
          await epochs.current(prefix, value);
        }),
      );
    },

    async assertWritable() {
      await Promise.all(shards.prefixes.map((prefix) => redis.probe(probeKey(prefix))));
    },
  };
}

/** An entry that somebody wrote by hand has no cutoff, and denies every token of the subject. */
function isCutOff(entry: string | null, iat: number): boolean {
  if (entry === null) return false;
  const [, cutoff] = /"cutoff":(\d+)/.exec(entry) ?? [];
  return cutoff === undefined || iat <= Number(cutoff);
}
