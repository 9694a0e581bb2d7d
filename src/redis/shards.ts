import { crc16 } from "./crc16";

/**
 * Where each user's keys are. A shard is a complete denylist, with its own epoch. Its keys share a hash tag, and so a
 * slot of a Redis Cluster: no command or script needs keys from two slots. Outside a cluster there is one shard, with
 * no tag.
 */
export type Shards = {
  /** The prefix of the keys of a subject: a user, an e-mail address or a rate-limited client. */
  prefixOf(subject: string): string;
  readonly prefixes: readonly string[];
};

export const createOneShard = (prefix: string): Shards => ({ prefixOf: () => prefix, prefixes: [prefix] });

export function createShards(prefix: string, count: number): Shards {
  const prefixes = Array.from({ length: count }, (_, at) => `${prefix}{s${String(at).padStart(2, "0")}}:`);
  return {
    prefixOf: (subject) => prefixes[crc16(subject) % count] ?? prefix,
    prefixes,
  };
}
