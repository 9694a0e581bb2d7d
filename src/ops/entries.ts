import { z } from "zod";
import { parseText, readText } from "../denylist/entry-text";
import { jtiKey, placeOf, sidKey, subKey, usesKeyOf, type Kind, type Place } from "../denylist/entry";
import { keyIdOf } from "../issuers/foreign-ids";
import { isCluster, type Client } from "../redis/commands";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import { dateOf } from "./dates";

/** What somebody may write for a kind: its name, or what its keys call it. */
export const KIND_OF = {
  ...{ token: "token", session: "session", user: "user" },
  ...{ jti: "token", sid: "session", sub: "user" },
} as const satisfies Record<string, Kind>;

const KEY_OF = { token: jtiKey, session: sidKey, user: subKey };

const text = z.string().nullable();
const number = z.number().nullable();

/** An entry, and what it says of itself. Anybody may have written it by hand: what is missing or odd is null. */
export const Entry = z
  .object({
    ...{ jti: text, sub: text, sid: text, iss: text, iat: number, exp: number },
    ...{ revoked_at: text, reason: text, by: text, ip: text, user_agent: text, note: text, cutoff: number },
    kind: z.enum(["token", "session", "user"]),
    id: z.string().describe("As it stands in the key; a foreign one's begins with its issuer's name"),
    key: z.string(),
    expires_at: z.iso
      .datetime()
      .nullable()
      .describe("When Redis drops the entry; null: never, or after the year 9999"),
    value: text.describe("What somebody wrote by hand, if it isn't such an entry"),
  })
  .meta({ id: "Entry" });

export type Entry = z.infer<typeof Entry>;

export const Uses = z
  .object({
    uses: z
      .number()
      .describe("How often it was refused, as far as was reported: each instance does once a minute"),
    last_used_at: text,
    ip: text,
    user_agent: text,
  })
  .meta({ id: "Uses" });

export type Uses = z.infer<typeof Uses>;

export type Entries = ReturnType<typeof createEntries>;

/** Reads the denylist's entries, whoever wrote them. */
export function createEntries(redis: Redis, shards: Shards) {
  /** Returns the entries that are there and wanted, in the same order. When they expire is asked of the wanted alone. */
  async function read(
    places: readonly Place[],
    isWanted: (entry: Entry) => boolean = () => true,
  ): Promise<Entry[]> {
    if (places.length === 0) return [];
    const keys = places.map(({ key }) => key);
    const texts = await redis.ask((client) => readTexts(client, keys));
    const wanted = places.map((place, at) => toEntry(place, texts[at] ?? "")).filter(isWanted);
    const left = await redis.ask((client) => Promise.all(wanted.map(({ key }) => client.pttl(key))));
    return wanted.flatMap((entry, at) => withExpiry(entry, left[at] ?? GONE));
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
    placeOf: (key: string): Place | undefined => placeOf(shards.prefixes, key),

    /** How often the entry refused a token; undefined if it never did. */
    async usesOf(key: string): Promise<Uses | undefined> {
      const { prefix = "" } = placeOf(shards.prefixes, key) ?? {};
      const record = await redis.ask((client) =>
        client.hgetall(usesKeyOf(prefix, key)).catch(ifOfAnotherType),
      );
      return record["uses"] === undefined ? undefined : toUses(record);
    },
  };
}

/** A record that somebody wrote by hand, as something else, is none. */
function ifOfAnotherType(error: unknown): Record<string, string> {
  if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return {};
  throw error;
}

const toUses = ({ uses, last_used_at, ip, user_agent }: Record<string, string>) => ({
  uses: Number(uses),
  ...{ last_used_at: orNull(last_used_at), ip: orNull(ip), user_agent: orNull(user_agent) },
});

const orNull = (text: string | undefined) => (text === undefined || text === "" ? null : text);

/** What PTTL says of a key that isn't there. */
const GONE = -2;

/** In a cluster, keys of several slots can't be in one command. */
const readTexts = (client: Client, keys: string[]): Promise<(string | null)[]> =>
  isCluster(client) ? Promise.all(keys.map((key) => readText(client, key))) : client.mget(keys);

function toEntry({ kind, id, key }: Place, value: string): Entry {
  const said = entryIn(value);
  const textOf = (name: string) => (typeof said?.[name] === "string" ? said[name] : null);
  const numberOf = (name: string) => (typeof said?.[name] === "number" ? said[name] : null);
  return {
    ...{ kind, id, key },
    ...{ jti: textOf("jti"), sub: textOf("sub"), sid: textOf("sid"), iss: textOf("iss") },
    ...{ iat: numberOf("iat"), exp: numberOf("exp"), revoked_at: textOf("revoked_at") },
    ...{ reason: textOf("reason"), by: textOf("by"), ip: textOf("ip"), user_agent: textOf("user_agent") },
    ...{ note: textOf("note"), cutoff: numberOf("cutoff"), expires_at: null },
    value: said === undefined ? value : null,
  };
}

function withExpiry(entry: Entry, leftMs: number): Entry[] {
  if (leftMs === GONE) return [];
  return leftMs < 0 ? [entry] : [{ ...entry, expires_at: dateOf(Date.now() + leftMs) }];
}

function entryIn(text: string): Record<string, unknown> | undefined {
  const value = parseText(text);
  return value && "revoked_at" in value ? value : undefined;
}
