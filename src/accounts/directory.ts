import { join } from "node:path";
import type { Redis } from "../redis/redis";
import { scanStep, SCAN_START, type ScanPlace } from "../redis/scan";
import { readScript } from "../redis/script";
import type { Shards } from "../redis/shards";
import { normaliseEmail, readAccount, userEmailKey, userKey, type Account } from "./accounts";

/** An account as those who manage it see it: nobody needs to see the password's hash. */
export type Person = {
  id: string;
  email: string;
  roles: string[];
  createdAt: string;
  disabledAt: string | null;
};

/** Some of the accounts, and how many keys Redis has looked at since the batch before. */
export type Batch = { people: Person[]; looked: number };

/** The accounts that Curfew keeps in Redis, for those who manage them. An app's own table of users isn't here. */
export type Directory = {
  /** Whose e-mail address this is, even if the account itself is gone. An address in any spelling will do. */
  idOf(email: string): Promise<string | undefined>;
  find(id: string): Promise<Person | undefined>;
  /**
   * Every account whose address contains this text, in no order, as they are found. Redis isn't held up, however many
   * there are. Accounts that are added or deleted meanwhile may be missing.
   */
  list(search?: string): AsyncGenerator<Batch, void>;
  /** Frees an address, unless it belongs to somebody else by now. Returns whether it was this account's. */
  releaseEmail(email: string, id: string): Promise<boolean>;
};

type ScanStep = Awaited<ReturnType<typeof scanStep>>;

const RELEASE_EMAIL = readScript(join(__dirname, "release-email.lua"));

export function createDirectory(redis: Redis, shards: Shards): Directory {
  async function find(id: string): Promise<Person | undefined> {
    const hash = await redis.ask((client) => client.hgetall(userKey(shards, id)));
    return personOf(readAccount(id, hash));
  }

  /** Undefined for a key that isn't where its account belongs, as after a change of `REDIS_SHARDS`. */
  function idIn(key: string): string | undefined {
    const prefix = shards.prefixes.find((each) => key.startsWith(`${each}user:`));
    const id = key.slice(`${prefix ?? ""}user:`.length);
    return userKey(shards, id) === key ? id : undefined;
  }

  return {
    find,

    async idOf(email) {
      const address = normaliseEmail(email);
      if (!address) return undefined;
      return (await redis.ask((client) => client.get(userEmailKey(shards, address)))) ?? undefined;
    },

    async *list(search = "") {
      const text = search.normalize("NFKC").trim().toLowerCase();
      const seen = new Set<string>();
      let place: ScanPlace | undefined = SCAN_START;
      while (place) {
        const step: ScanStep = await scanStep(redis, `${shards.pattern}user:*`, place);
        const ids = step.keys.flatMap((key) => idIn(key) ?? []).filter((id) => !seen.has(id));
        for (const id of ids) seen.add(id);
        const found = (await Promise.all([...new Set(ids)].map(find))).filter((each) => each !== undefined);
        yield { people: found.filter(({ email }) => email.includes(text)), looked: step.looked };
        place = step.next;
      }
    },

    async releaseEmail(email, id) {
      const address = normaliseEmail(email);
      if (!address) return false;
      return (await redis.run(RELEASE_EMAIL, [userEmailKey(shards, address)], { id })) === 1;
    },
  };
}

function personOf(account: Account | undefined): Person | undefined {
  if (!account) return undefined;
  const { id, email, roles, createdAt, disabledAt = null } = account;
  return { id, email, roles, createdAt, disabledAt };
}
