import { CurfewError, type WhyOver } from "../errors";
import { withinBudget } from "../redis/budget";
import type { Client } from "../redis/commands";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import type { AccessToken } from "../tokens/access-tokens";
import type { ForeignToken } from "../issuers/foreign-tokens";
import { foreignKeys, jtiKey, probeKey, sidKey, subjectOf } from "./entry";
import { parseText, readText, whyIn } from "./entry-text";
import { createLookUps, type Found } from "./look-ups";
import type { Mirror } from "./mirror/mirror";
import { beganAt, epochKey, type Epochs } from "./past/epochs";
import type { Past } from "./past/past";

/** A rule that refuses a verified token: an entry of its own, its session's or its subject's, by its key; or the epoch. */
export type Refusal =
  | { readonly rule: "jti" | "sid" | "sub"; readonly key: string }
  | { readonly rule: "epoch"; readonly epoch: string };

export type Denylist = {
  /** Throws `token_revoked` for a verified token that any rule refuses. */
  assertNotRevoked(token: AccessToken | ForeignToken): Promise<void>;
  /** Whether the mirror knows, without asking anybody, that no rule refuses a verified token. */
  isKnownClean(token: AccessToken | ForeignToken): boolean;
  /** Returns every rule that refuses a verified token, whether or not it has expired. It is accepted if there is none. */
  refusalsOf(token: AccessToken | ForeignToken): Promise<Refusal[]>;
  /** Why a verified token is refused, as far as its entries say; empty if they can't be read now. */
  whyRevoked(token: AccessToken | ForeignToken): Promise<WhyOver>;
  /** Throws unless a check would get an answer now, in every shard. */
  assertAnswering(): Promise<void>;
  /** Throws unless a logout could be written now, in every shard. */
  assertWritable(): Promise<void>;
};

export function createDenylist(
  redis: Redis,
  shards: Shards,
  epochs: Epochs,
  past: Past,
  mirror?: Pick<Mirror, "lookUp">,
): Denylist {
  /** With the answer it returns the epoch in which it was asked. */
  const ask = <T>(prefix: string, command: (client: Client) => Promise<T>) =>
    past.ask(prefix, (knownThen) =>
      redis.ask(async (client) => ({ said: await command(client), knownThen })),
    );
  const lookUp = createLookUps(redis, past);

  /** Whether nothing can refuse the token: neither an entry of its, nor the epoch. */
  function isClean(prefix: string, token: AccessToken | ForeignToken, { anyExists, epoch }: Found): boolean {
    if (anyExists || epoch === null || epoch !== epochs.known(prefix)) return false;
    return token.kind === "own" ? token.epoch === epoch : !isFromBefore(token, epoch);
  }

  /** Whether an entry denies the token for certain. A foreign subject's may leave out what was issued after it. */
  const isDenied = (prefix: string, token: AccessToken | ForeignToken, { anyExists, epoch }: Found) =>
    token.kind === "own" && anyExists && epoch !== null && epoch === epochs.known(prefix);

  async function assertNoRefusals(token: AccessToken | ForeignToken): Promise<void> {
    const refusals = await refusalsOf(token);
    if (refusals.length === 0) return;
    const entryKeys = entryKeysOf(refusals);
    const sub = subjectOf(token);
    // A token from before the epoch is evidence of a loss, not of a theft.
    const raisesEvent = entryKeys.length > 0;
    if (!raisesEvent && token.kind === "own") epochs.tellLost(shards.prefixOf(sub), token.epoch);
    const about = { sub, jti: token.jti, ...(token.sid !== undefined && { sid: token.sid }) };
    const why = raisesEvent ? await whyOf(refusals) : {};
    throw new CurfewError("token_revoked", { about, raisesEvent, entryKeys, why });
  }

  // One key per command: while a slot moves to another node, each key is on one of the two, and each command follows
  // its own redirect. The entries come first: if the denylist is emptied in between, the epoch is gone as well.
  async function refusalsOfOwn({ sub, jti, sid, epoch }: AccessToken): Promise<Refusal[]> {
    const prefix = shards.prefixOf(sub);
    const keys = { jti: jtiKey(prefix, jti), sid: sidKey(prefix, sid) };
    const { said, knownThen } = await ask(prefix, (client) =>
      Promise.all([client.exists(keys.jti), client.exists(keys.sid), client.get(epochKey(prefix))]),
    );
    const [byJti, bySid, value] = said;
    const current = await epochs.current(prefix, value, knownThen);
    return [
      ...(byJti === 0 ? [] : [{ rule: "jti", key: keys.jti } as const]),
      ...(bySid === 0 ? [] : [{ rule: "sid", key: keys.sid } as const]),
      ...(current === epoch ? [] : [{ rule: "epoch", epoch: current } as const]),
    ];
  }

  async function refusalsOfForeign(token: ForeignToken): Promise<Refusal[]> {
    const prefix = shards.prefixOf(subjectOf(token));
    const keys = foreignKeys(prefix, token);
    const { said, knownThen } = await ask(prefix, (client) =>
      Promise.all([
        client.get(keys.sub),
        client.exists(keys.jti),
        keys.sid === undefined ? 0 : client.exists(keys.sid),
        client.get(epochKey(prefix)),
      ]),
    );
    const [bySub, byJti, bySid, value] = said;
    const current = await epochs.current(prefix, value, knownThen);
    return [
      ...(byJti === 0 ? [] : [{ rule: "jti", key: keys.jti } as const]),
      ...(bySid === 0 || keys.sid === undefined ? [] : [{ rule: "sid", key: keys.sid } as const]),
      ...(isCutOff(bySub, Math.floor(token.iat)) ? [{ rule: "sub", key: keys.sub } as const] : []),
      ...(isFromBefore(token, current) ? [{ rule: "epoch", epoch: current } as const] : []),
    ];
  }

  const refusalsOf = (token: AccessToken | ForeignToken) =>
    token.kind === "foreign" ? refusalsOfForeign(token) : refusalsOfOwn(token);

  /** What one entry says, the first that gives a reason. A refusal stays one, even if Redis is gone by now. */
  async function whyOf(refusals: readonly Refusal[]): Promise<WhyOver> {
    const keys = entryKeysOf(refusals);
    const read = redis.ask((client) => Promise.all(keys.map((key) => readText(client, key))));
    const texts = await read.catch(() => []);
    const whys = texts.map((text) => whyIn(parseText(text ?? "")));
    return whys.find(({ reason }) => reason !== undefined) ?? whys[0] ?? {};
  }

  function isKnownClean(token: AccessToken | ForeignToken): boolean {
    if (!mirror) return false;
    const prefix = shards.prefixOf(subjectOf(token));
    const found = mirror.lookUp(keysOf(prefix, token));
    return found !== undefined && isClean(prefix, token, found);
  }

  return {
    refusalsOf,
    isKnownClean,

    async assertNotRevoked(token) {
      const prefix = shards.prefixOf(subjectOf(token));
      const startedAt = performance.now();
      const keys = keysOf(prefix, token);
      const found = mirror?.lookUp(keys) ?? (await lookUp(prefix, keys));
      // Most checks end here, and need no budget: all that they ask has a time limit.
      if (isClean(prefix, token, found)) return;
      const leftMs = redis.timeoutMs - (performance.now() - startedAt);
      try {
        await withinBudget(leftMs, () => assertNoRefusals(token));
      } catch (error) {
        // Which entry it is, and why, couldn't be read any more. That there is one is enough.
        if (isUnavailable(error) && isDenied(prefix, token, found)) throw deniedBy(keys, token);
        throw error;
      }
    },

    whyRevoked: async (token) => whyOf(await refusalsOf(token).catch(() => [])),

    async assertAnswering() {
      await Promise.all(
        shards.prefixes.map(async (prefix) => {
          const { said, knownThen } = await ask(prefix, (client) => client.get(epochKey(prefix)));
          await epochs.current(prefix, said, knownThen);
        }),
      );
    },

    async assertWritable() {
      await Promise.all(shards.prefixes.map((prefix) => redis.probe(probeKey(prefix))));
    },
  };
}

const isUnavailable = (error: unknown) =>
  error instanceof CurfewError && error.code === "denylist_unavailable";

const deniedBy = (entryKeys: readonly string[], { sub, jti, sid = "" }: AccessToken | ForeignToken) =>
  new CurfewError("token_revoked", { about: { sub, jti, sid }, entryKeys });

const entryKeysOf = (refusals: readonly Refusal[]) =>
  refusals.flatMap((refusal) => (refusal.rule === "epoch" ? [] : [refusal.key]));

/** The keys of the entries that can deny it. */
function keysOf(prefix: string, token: AccessToken | ForeignToken): string[] {
  if (token.kind === "own") return [jtiKey(prefix, token.jti), sidKey(prefix, token.sid)];
  const { jti, sub, sid } = foreignKeys(prefix, token);
  return sid === undefined ? [jti, sub] : [jti, sub, sid];
}

const isFromBefore = ({ sinceEpoch, iat }: ForeignToken, epoch: string) => sinceEpoch && iat < beganAt(epoch);

/** An entry that somebody wrote by hand has no cutoff, and denies every token of the subject. */
function isCutOff(entry: string | null, iat: number): boolean {
  if (entry === null) return false;
  const [, cutoff] = /"cutoff":(\d+)/.exec(entry) ?? [];
  return cutoff === undefined || iat <= Number(cutoff);
}
