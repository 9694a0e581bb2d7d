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
  /** Matches what any shard's keys begin with, as SCAN's MATCH takes it. */
  readonly pattern: string;
};

export const createOneShard = (prefix: string): Shards => ({
  prefixOf: () => prefix,
  prefixes: [prefix],
  pattern: literally(prefix),
});

export function createShards(prefix: string, count: number): Shards {
  const prefixes = Array.from({ length: count }, (_, at) => `${prefix}{s${String(at).padStart(2, "0")}}:`);
  return {
    prefixOf: (subject) => prefixes[crc16(subject) % count] ?? prefix,
    prefixes,
    pattern: `${literally(prefix)}{s[0-9][0-9]}:`,
  };
}

/** In a pattern of Redis's, where some characters mean more than themselves. */
const literally = (text: string) => text.replace(/[*?[\]\\^-]/g, "\\$&");
