import { generateKeyPairSync, randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { replaceFile } from "./replace-file";
import { MAX_LISTED_KEYS, sourceOf, writeKeyList, type KeyEntry, type ListedKey } from "./key-list";
import { PUBLISHED_KEYS_MAX_AGE_SECONDS } from "./key-ring";
import { pemOf, readPrivateKey, readSecret, type Algorithm, type SigningKey } from "./keys";

export type KeyFileOptions = {
  /** The key that signs. */
  key: SigningKey;
  /** The file with that key, unless it is a secret. */
  privateKeyFile: string | undefined;
  /** The listed keys. The one that signs may be among them. */
  listed: ListedKey[];
  /** The file with that list. It may not exist yet. */
  verifyKeysFile: string;
  refreshTtlSeconds: number;
};

/** A key's life: it is next, then it signs, then it is a previous one, then it is gone. */
export type KnownKey = {
  kid: string;
  algorithm: Algorithm;
  state: "signs" | "next" | "previous";
  addedAt: string | undefined;
  neededUntil: string | undefined;
};

export type Promoted = KnownKey & {
  previous: string;
  previousNeededUntil: string;
  /** The file with the new key. A secret has none: it is first in the list, and belongs in JWT_SECRET. */
  privateKeyFile: string | undefined;
};

/** What a step did, or why it did nothing: there is no such key, or the step would break live tokens. */
export type Outcome<T> = { done: T } | { missing: string } | { refused: string };

/** How long a roll-out may take, from a step to the restart of the last instance. */
const ROLL_OUT_SECONDS = 86_400;

/** The steps of a key change. Each works on the files of one machine; the operator copies them to the others. */
export function createKeyFiles(options: KeyFileOptions) {
  const { key: signing, privateKeyFile, listed, verifyKeysFile, refreshTtlSeconds } = options;

  const stateOf = ({ key, entry }: ListedKey): KnownKey["state"] => {
    if (key.kid === signing.kid) return "signs";
    return entry.needed_until === undefined ? "next" : "previous";
  };
  const inState = (state: KnownKey["state"]) => listed.filter((each) => stateOf(each) === state);
  const named = (kid: string) => listed.filter(({ key }) => key.kid === kid);

  const known = (each: ListedKey): KnownKey => ({
    kid: each.key.kid,
    algorithm: each.key.algorithm,
    state: stateOf(each),
    addedAt: each.entry.added_at,
    neededUntil: each.key.kid === signing.kid ? undefined : each.entry.needed_until,
  });

  const save = (next: ListedKey[]) => {
    writeKeyList(verifyKeysFile, next);
  };

  return {
    list: (): KnownKey[] => [
      known(named(signing.kid)[0] ?? { key: signing, entry: {} }),
      ...[...inState("next"), ...inState("previous")].map(known),
    ],

    /** Makes the next key, which verifies from now on and signs later. */
    add(algorithm: Algorithm = signing.algorithm): Outcome<KnownKey> {
      const [waiting] = inState("next");
      if (waiting) return { refused: `There is a next key already: ${waiting.key.kid}.` };
      // One place in the list is left for the key that signs.
      if (listed.length + 2 > MAX_LISTED_KEYS)
        return {
          refused: `There are ${listed.length} keys already. Retire those that are no longer needed.`,
        };
      const key = generate(algorithm);
      const made = { key, entry: { ...sourceOf(key), added_at: timeIn(0) } };
      save([...listed, made]);
      return { done: known(made) };
    },

    /** Makes the next key, or the named one, sign from now on. The key that signed before then only verifies. */
    promote(kid: string | undefined, isForced: boolean): Outcome<Promoted> {
      const [chosen, ...others] = kid === undefined ? inState("next") : named(kid);
      if (kid === signing.kid) return { refused: `${kid} signs already.` };
      if (!chosen) return { missing: kid === undefined ? "There is no next key." : unknown(kid) };
      if (others.length > 0) return { refused: "There are several next keys. Name the one that is to sign." };
      if (!isForced && !isKnownEverywhere(chosen.entry)) {
        return {
          refused: `${chosen.key.kid} must be known to every instance, and published for ${PUBLISHED_KEYS_MAX_AGE_SECONDS} seconds, before it signs: ${addedWhen(chosen.entry)}.`,
        };
      }
      const previousNeededUntil = timeIn(refreshTtlSeconds + ROLL_OUT_SECONDS);
      const source = sourceOf(chosen.key);
      // The list comes first, and with both keys, so that an instance that starts in between accepts every token.
      const rest = listed.filter(({ key }) => ![chosen.key.kid, signing.kid].includes(key.kid));
      save([
        { key: chosen.key, entry: { ...source, added_at: chosen.entry.added_at } },
        { key: signing, entry: { ...sourceOf(signing), needed_until: previousNeededUntil } },
        ...rest,
      ]);
      return {
        done: {
          ...known(chosen),
          state: "signs",
          neededUntil: undefined,
          previous: signing.kid,
          previousNeededUntil,
          privateKeyFile: install(chosen.key, source.private_key),
        },
      };
    },

    /** Removes the previous keys, or the named one, once nothing needs them any more. */
    retire(kid: string | undefined, isForced: boolean): Outcome<KnownKey[]> {
      if (kid === signing.kid) return { refused: `${kid} signs. Promote another first.` };
      const candidates = kid === undefined ? inState("previous") : named(kid);
      if (candidates.length === 0)
        return { missing: kid === undefined ? "There is no previous key." : unknown(kid) };
      const gone = candidates.filter(({ entry }) => isForced || isOver(entry));
      if (gone.length === 0) return { refused: `It is too early: ${candidates.map(neededWhen).join("; ")}.` };
      save(listed.filter((each) => !gone.includes(each)));
      return { done: gone.map(known) };
    },
  };

  function unknown(kid: string): string {
    return `There is no key ${JSON.stringify(kid)} in ${verifyKeysFile}.`;
  }

  function install(key: SigningKey, pem: string | undefined): string | undefined {
    if (pem === undefined) return undefined;
    const file = privateKeyFile ?? join(dirname(verifyKeysFile), `jwt-${key.kid}.pem`);
    replaceFile(file, pem);
    return file;
  }
}

function generate(algorithm: Algorithm): SigningKey {
  if (algorithm === "HS256") return readSecret(randomBytes(48).toString("base64url"));
  const { privateKey } =
    algorithm === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 3072 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return readPrivateKey(pemOf(privateKey));
}

const timeIn = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

/** A key that has signed was known everywhere before. */
const isKnownEverywhere = ({ added_at, needed_until }: KeyEntry) =>
  needed_until !== undefined ||
  (added_at !== undefined && Date.parse(added_at) + PUBLISHED_KEYS_MAX_AGE_SECONDS * 1000 <= Date.now());

const isOver = ({ needed_until }: KeyEntry) =>
  needed_until !== undefined && Date.parse(needed_until) <= Date.now();

const addedWhen = ({ added_at }: KeyEntry) =>
  added_at === undefined ? "when it was added isn't said" : `it was added at ${added_at}`;

const neededWhen = ({ key, entry }: ListedKey) =>
  entry.needed_until === undefined
    ? `${key.kid} may sign somewhere`
    : `${key.kid} is needed until ${entry.needed_until}`;
