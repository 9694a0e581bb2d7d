import { z } from "zod";
import { parseText, readText, Said } from "../denylist/entry-text";
import { jtiKey, sidKey, subKey, usesKeyOf } from "../denylist/entry";
import { keyIdOf } from "../issuers/foreign-ids";
import type { Client, Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";

/** What an entry denies: one token, a session, or all that a foreign subject had so far; and how its key says so. */
export const KINDS = { token: "jti", session: "sid", user: "sub" } as const;

export type Kind = keyof typeof KINDS;

const KEY_OF = { token: jtiKey, session: sidKey, user: subKey };

const text = z.string().nullable().catch(null);

export const Entry = Said.extend({
  kind: z.enum(["token", "session", "user"]),
  id: z.string().describe("As it stands in the key; a foreign one's begins with its issuer's name"),
  key: z.string(),
  expires_at: z.iso.datetime().nullable().describe("When Redis drops the entry; null: never"),
  value: text.describe("What somebody wrote by hand, if it isn't such an entry"),
});

export type Entry = z.infer<typeof Entry>;

export const Uses = z.object({
  uses: z
    .number()
    .describe("How often it was refused, as far as was reported: each instance does once a minute"),
  last_used_at: text,
  ip: text,
  user_agent: text,
});

export type Uses = z.infer<typeof Uses>;

export type Entries = ReturnType<typeof createEntries>;

/** Where a key stands: in which shard, and what it denies. */
export type Place = { prefix: string; kind: Kind; id: string; key: string };

/** Reads the denylist's entries, whoever wrote them. */
export function createEntries(redis: Redis, shards: Shards) {
  /** Returns the entries that are there, in the same order. */
  async function read(places: readonly Place[]): Promise<Entry[]> {
    const texts = await redis.ask((client) => Promise.all(places.map(({ key }) => readOne(client, key))));
    return texts.flatMap((found, at) => {
      const place = places[at];
      return found && place ? [toEntry(place, found)] : [];
    });
  }

  /** Every key that may hold this id: in any shard, and with what can't stand in a key hashed. */
  function placesOf(kind: Kind, id: string): Place[] {
    const colon = id.indexOf(":");
    const hashed = colon < 0 ? id : `${id.slice(0, colon)}:${keyIdOf(id.slice(colon + 1))}`;
    return [...new Set([id, hashed])].flatMap((each) =>
      shards.prefixes.map((prefix) => ({ prefix, kind, id: each, key: KEY_OF[kind](prefix, each) })),
    );
  }

  return {
    read,
    placesOf,

    /** The entries with this id: one, or in a cluster one in each shard. */
    find: (kind: Kind, id: string): Promise<Entry[]> => read(placesOf(kind, id)),

    /** Undefined for a key that is no entry's. */
    placeOf(key: string): Place | undefined {
      const prefix = shards.prefixes.find((each) => key.startsWith(`${each}denylist:`));
      if (prefix === undefined) return undefined;
      const [, name, id] = /^(jti|sid|sub):(.+)$/s.exec(key.slice(`${prefix}denylist:`.length)) ?? [];
      const kind = (Object.keys(KINDS) as Kind[]).find((each) => KINDS[each] === name);
      return kind && id !== undefined ? { prefix, kind, id, key } : undefined;
    },

    /** How often the entry refused a token; undefined if it never did. */
    async usesOf(key: string): Promise<Uses | undefined> {
      const prefix = shards.prefixes.find((each) => key.startsWith(`${each}denylist:`)) ?? "";
      const record = await redis.ask((client) => client.hgetall(usesKeyOf(prefix, key)));
      return record["uses"] === undefined ? undefined : toUses(record);
    },
  };
}

const toUses = ({ uses, last_used_at, ip, user_agent }: Record<string, string>) => ({
  uses: Number(uses),
  ...{ last_used_at: orNull(last_used_at), ip: orNull(ip), user_agent: orNull(user_agent) },
});

const orNull = (text: string | undefined) => (text === undefined || text === "" ? null : text);

type Found = { text: string; leftMs: number };

async function readOne(client: Client, key: string): Promise<Found | undefined> {
  const [text, leftMs] = await Promise.all([readText(client, key), client.pttl(key)]);
  return leftMs === -2 ? undefined : { text: text ?? "", leftMs };
}

function toEntry({ kind, id, key }: Place, { text, leftMs }: Found): Entry {
  const said = entryIn(text);
  return {
    ...{ kind, id, key },
    ...Said.parse(said ?? {}),
    expires_at: leftMs < 0 ? null : new Date(Date.now() + leftMs).toISOString(),
    value: said === undefined ? text : null,
  };
}

function entryIn(text: string): object | undefined {
  const value = parseText(text);
  return value && "revoked_at" in value ? value : undefined;
}
