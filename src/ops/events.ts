import { z } from "zod";
import { eventsKey, isLater } from "../denylist/events";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";

const text = z.string().nullable();

export const Event = z
  .object({
    id: z.string().describe("Where the stream is after this event, for Last-Event-ID"),
    event: z.string(),
    ...{ timestamp: text, kind: text, sub: text, sid: text, jti: text },
    ...{ by: text, ip: text, user_agent: text, note: text, epoch: text },
  })
  .meta({ id: "Event" });

export type Event = z.infer<typeof Event>;

/** A place between two events, in each shard: the id of the event before it, `-` or `+` for the beginning and the end. */
export type Positions = readonly string[];

/** An event, in which shard it is, and the places from which a walk comes to it, and goes on behind it. */
export type Placed<Of = Told> = { event: Of; prefix: string; from: Positions; to: Positions };

/** Some events, in the order of the walk. Without `next`, there were no more. */
export type Batch<Of = Told> = { events: Placed<Of>[]; next: Positions | undefined };

/** An id is where a stream goes on, so only a walk towards the newer ones gives them. */
export type Told = Omit<Event, "id">;

export type Events = ReturnType<typeof createEvents>;

type Row = { at: number; id: string; fields: string[] };

const ID = /^\d{1,15}-\d{1,15}$/;
const BEGINNING = "-";
const END = "+";
/** More than Redis ever counts in a millisecond. */
const COUNT_MAX = 999_999_999_999_999;

/** Reads the streams of events as one: by time, and in a cluster from all shards. */
export function createEvents(redis: Redis, shards: Shards) {
  const { prefixes } = shards;

  const readEach = (readShard: (key: string, at: number) => Promise<[id: string, fields: string[]][]>) =>
    Promise.all(
      prefixes.map(async (prefix, at): Promise<Row[]> =>
        (await readShard(eventsKey(prefix), at)).map(([id, fields]) => ({ at, id, fields })),
      ),
    ).then((rows) => rows.flat());

  /** Takes the first `count` rows of all shards' first `count`, and says where that leads to. */
  function walk(from: Positions, rows: Row[], count: number, towards: "older" | "newer"): Batch {
    const isFirst = (one: Row, other: Row) => (isLater(one.id, other.id) === (towards === "older") ? -1 : 1);
    let place = from;
    const events = rows
      .sort(isFirst)
      .slice(0, count)
      .map((row): Placed => {
        const start = place;
        place = place.map((each, at) => (at === row.at ? row.id : each));
        return { event: toEvent(row.fields), prefix: prefixes[row.at] ?? "", from: start, to: place };
      });
    return { events, next: rows.length < count ? undefined : place };
  }

  return {
    beginning: prefixes.map(() => BEGINNING) as Positions,
    end: prefixes.map(() => END) as Positions,

    /** The events before a place, the newest first. */
    async before(place: Positions, count: number): Promise<Batch> {
      const rows = await redis.ask((client) =>
        readEach((key, at) => client.xrevrange(key, exclusive(place[at] ?? END), "-", "COUNT", count)),
      );
      return walk(place, rows, count, "older");
    },

    /** The events after a place, the oldest first. */
    async after(place: Positions, count: number): Promise<Batch<Event>> {
      const rows = await redis.ask((client) =>
        readEach((key, at) => client.xrange(key, exclusive(place[at] ?? BEGINNING), "+", "COUNT", count)),
      );
      const { events, next } = walk(place, rows, count, "newer");
      return { events: events.map((each) => ({ ...each, event: withId(each) })), next };
    },

    /** The place after which the last `count` events are, so many as there are now. */
    async last(count: number): Promise<Positions> {
      const rows = await redis.ask((client) =>
        readEach((key) => client.xrevrange(key, "+", "-", "COUNT", Math.max(count, 1))),
      );
      const newest = rows.sort((one, other) => (isLater(one.id, other.id) ? -1 : 1));
      const wanted = newest.slice(0, count);
      return prefixes.map((_prefix, at) => {
        const first = wanted.findLast((row) => row.at === at);
        return first ? justBefore(first.id) : (newest.find((row) => row.at === at)?.id ?? BEGINNING);
      });
    },

    /** How many there are. */
    async count(): Promise<number> {
      const counts = await redis.ask((client) =>
        Promise.all(prefixes.map((each) => client.xlen(eventsKey(each)))),
      );
      return counts.reduce((sum, each) => sum + each, 0);
    },

    /** Whether nothing can come after a place. */
    isAtEnd: (place: Positions) => place.includes(END),

    /** A place as `write` wrote it; undefined for anything else. */
    read(written: string): Positions | undefined {
      const ids = written.split(",");
      const isPlace = ids.every((id) => ID.test(id) || id === BEGINNING || id === END);
      return isPlace && ids.length === prefixes.length ? ids : undefined;
    },
  };
}

export const writePositions = (place: Positions) => place.join(",");

/** No event has this id, but a place may. */
function justBefore(id: string): string {
  const [ms = 0, count = 0] = id.split("-").map(Number);
  return count > 0 ? `${ms}-${count - 1}` : `${ms - 1}-${COUNT_MAX}`;
}

/** Redis refuses to begin before the first id that there can be. */
const exclusive = (id: string) => (id === END ? id : isBeginning(id) ? BEGINNING : `(${id}`);
const isBeginning = (id: string) => id === BEGINNING || /^0+-0+$/.test(id);

const withId = ({ event, to }: Placed): Event => ({ id: writePositions(to), ...event });

function toEvent(fields: string[]): Told {
  const member = (name: string) => {
    const value = fields.find((_, at) => at % 2 === 1 && fields[at - 1] === name);
    return value === undefined || value === "" ? null : value;
  };
  return {
    event: member("event") ?? "unknown",
    ...{ timestamp: member("timestamp"), kind: member("kind"), sub: member("sub"), sid: member("sid") },
    ...{ jti: member("jti"), by: member("by"), ip: member("ip"), user_agent: member("user_agent") },
    ...{ note: member("note"), epoch: member("epoch") },
  };
}
