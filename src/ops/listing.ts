import { leftMs } from "../redis/budget";
import type { Redis } from "../redis/redis";
import { countKeys, scanStep, SCAN_START, type ScanPlace } from "../redis/scan";
import type { Shards } from "../redis/shards";
import { KINDS, type Kind } from "../denylist/entry";
import type { TrustedIssuer } from "../issuers/trusted-issuer";
import type { Entries, Entry } from "./entries";
import { placesNamedBy } from "./event-places";
import type { Batch, Events, Placed, Positions } from "./events";

/** Which entries are wanted; all that is left out is. `text` is found anywhere in an entry, in any case, as it is spelled. */
export type Filter = {
  kind?: Kind | undefined;
  user?: string | undefined;
  reason?: string | undefined;
  text?: string | undefined;
  /** Revoked at this time or later. */
  since?: Date | undefined;
};

/** A page of entries. Where more may follow, `next` says from where; a page may be empty and others follow all the same. */
export type Page<Where> = {
  items: Entry[];
  next: Where | undefined;
  progress: { looked: number; of: number };
};

/** Within a step of a walk, the keys up to this one have been listed. */
export type EntriesPlace = ScanPlace & { after: string; looked: number };

const START: EntriesPlace = { ...SCAN_START, after: "", looked: 0 };
/** So that a page that finds nothing comes soon, too. */
const STEPS_MAX = 100;
/** How much of a request's time with Redis may be used up when a page looks further. A step takes far less than the rest. */
const TIME_SHARE = 0.5;
/** So that neither Redis nor this process keeps a check waiting. */
const KEYS_AT_ONCE = 25;
const EVENTS_AT_ONCE = 100;

export type ListingParts = {
  redis: Redis;
  shards: Shards;
  issuers: readonly Pick<TrustedIssuer, "name">[];
  entries: Entries;
  events: Events;
};

/** Lists entries, page by page, without ever holding Redis up. */
export function createListing({ redis, shards, issuers, entries, events }: ListingParts) {
  const issuerNames = issuers.map(({ name }) => name);

  /** All that are there, in no order, newest first within a page; also those that somebody wrote by hand. */
  async function all(filter: Filter, limit: number, from: EntriesPlace = START): Promise<Page<EntriesPlace>> {
    const pattern = `${shards.pattern}denylist:${filter.kind ? `${KINDS[filter.kind]}:` : ""}*`;
    const items: Entry[] = [];
    const of = await countKeys(redis);
    let place: EntriesPlace | undefined = from;
    const isTime = createTimer();
    for (let step = 0; place && step < STEPS_MAX && items.length < limit && isTime(); step += 1) {
      const { after, looked, ...scan }: EntriesPlace = place;
      const { keys, next, looked: more } = await scanStep(redis, pattern, scan);
      const left = [...new Set(keys)].filter((key) => key > after).sort();
      const upTo = await collect(left, items, filter, limit, isTime);
      place =
        upTo === undefined
          ? next && { ...next, after: "", looked: looked + more }
          : { ...place, after: upTo };
    }
    return { items: newestFirst(items), next: place, progress: { looked: place?.looked ?? of, of } };
  }

  /** Adds what is wanted, until there is enough or no time left: then it returns the last key that it looked at. */
  async function collect(
    keys: readonly string[],
    items: Entry[],
    filter: Filter,
    limit: number,
    isTime: () => boolean,
  ): Promise<string | undefined> {
    for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
      const some = keys.slice(at, at + KEYS_AT_ONCE);
      const places = some.map((key) => entries.placeOf(key)).filter((place) => place !== undefined);
      const found = await entries.read(places, (entry) => matches(entry, filter));
      const taken = found.slice(0, limit - items.length);
      items.push(...taken);
      if (taken.length < found.length) return taken.at(-1)?.key ?? keys[at - 1];
      const isEnough = items.length >= limit || !isTime();
      if (isEnough && at + KEYS_AT_ONCE < keys.length) return some.at(-1);
    }
    return undefined;
  }

  /** Those whose revocation is among the events, newest first. Each is told of once, by the event that made it. */
  async function newest(filter: Filter, limit: number, from?: Positions): Promise<Page<Positions>> {
    const items: Entry[] = [];
    let place: Positions | undefined = from ?? events.end;
    let looked = 0;
    const isTime = createTimer();
    for (let step = 0; place && step < STEPS_MAX && items.length < limit && isTime(); step += 1) {
      const batch: Batch = await events.before(place, EVENTS_AT_ONCE);
      looked += batch.events.length;
      place = batch.next;
      const made = await madeBy(batch.events);
      for (const { from: start, entries: here } of made) {
        // Two events of one millisecond may both look as if they had made it.
        const isNew = ({ key }: Entry) => items.every((item) => item.key !== key);
        const matching = here.filter((entry) => isNew(entry) && matches(entry, filter));
        if (items.length > 0 && items.length + matching.length > limit) {
          place = start;
          break;
        }
        items.push(...matching);
      }
    }
    return { items, next: place, progress: { looked, of: await events.count() } };
  }

  /** The entries that each event made, as far as they are still there. */
  async function madeBy(placed: readonly Placed[]) {
    const named = placed.map(({ event, prefix }) => placesNamedBy(event, prefix, issuerNames));
    const found = new Map((await entries.read(named.flat())).map((entry) => [entry.key, entry]));
    return placed.map(({ event, from }, at) => ({
      from,
      entries: (named[at] ?? [])
        .map(({ key }) => found.get(key))
        .filter((entry) => entry !== undefined)
        .filter(({ revoked_at }) => revoked_at === event.timestamp),
    }));
  }

  return { all, newest };
}

/** Whether there is time for another step. There always is for the first, and where no request waits. */
function createTimer(): () => boolean {
  const totalMs = leftMs(Infinity);
  return () => leftMs(Infinity) >= totalMs * (1 - TIME_SHARE);
}

function matches(entry: Entry, { kind, user, reason, text, since }: Filter): boolean {
  return (
    (kind === undefined || entry.kind === kind) &&
    (user === undefined || entry.sub === user) &&
    (reason === undefined || entry.reason === reason) &&
    (since === undefined || (entry.revoked_at ?? "") >= since.toISOString()) &&
    (text === undefined || Object.values(entry).join("\n").toLowerCase().includes(text.toLowerCase()))
  );
}

const newestFirst = (items: Entry[]) =>
  items.sort((one, other) => ((one.revoked_at ?? "") < (other.revoked_at ?? "") ? 1 : -1));
