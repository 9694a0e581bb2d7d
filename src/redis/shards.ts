import { crc16 } from "./crc16";

/**
 * Where each user's keys live. A shard is a complete denylist of its own, epoch included, whose keys share a hash tag and
 * so a slot of a Redis Cluster: no command and no script ever needs keys of two slots. Outside a cluster there is one.
 */
export type Shards = {
  /** What the keys of a subject (a user, an e-mail address, a client that is counted) begin with. */
  prefixOf(subject: string): string;
  readonly prefixes: readonly string[];
  /** Any of the prefixes, as a glob-style pattern. */
  readonly pattern: string;
};

export const createOneShard = (prefix: string): Shards => ({
  prefixOf: () => prefix,
  prefixes: [prefix],
  pattern: prefix,
});

export function createShards(prefix: string, count: number): Shards {
  const prefixes = Array.from({ length: count }, (_, at) => `${prefix}{s${String(at).padStart(2, "0")}}:`);
  return {
    prefixOf: (subject) => prefixes[crc16(subject) % count] ?? prefix,
    prefixes,
    pattern: `${prefix}{s[0-9][0-9]}:`,
  };
}
