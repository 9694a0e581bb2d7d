import { normaliseEmail, type Accounts } from "../accounts/accounts";
import type { Tokens } from "../auth/tokens";
import type { Denylist } from "../denylist/denylist";
import type { Kind } from "../denylist/entry";
import type { Mirror } from "../denylist/mirror/mirror";
import type { Revoker } from "../denylist/revoker";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import type { Sessions } from "../sessions/sessions";
import type { RefreshTokens } from "../tokens/refresh-tokens";
import { CurfewError } from "../errors";
import { createChanges, type Actor } from "./changes";
import { createEntries, type Entry, type Uses } from "./entries";
import { createEvents } from "./events";
import { createListing } from "./listing";
import { readStatus } from "./status";
import { createRules } from "./rules";
import { nameToken, type Lifetimes, type Target } from "./targets";
import { createWhy, whyJti } from "./why";

export type KeylessOpsParts = Lifetimes & {
  redis: Redis;
  shards: Shards;
  denylist: Denylist;
  mirror: Mirror | undefined;
  revoker: Revoker;
  sessions: Sessions;
  accounts: Pick<Accounts, "findByEmail" | "findById">;
};

export type KeylessOps = ReturnType<typeof createKeylessOps>;

/** What ops staff can find, explain, revoke and lift without a signing key: everything by its name. */
export function createKeylessOps(parts: KeylessOpsParts) {
  const { redis, shards, denylist, accounts } = parts;
  const entries = createEntries(redis, shards);
  const events = createEvents(redis, shards);
  const rules = createRules(denylist, entries);
  const isUser = async (id: string) => (await accounts.findById(id)) !== undefined;

  /** What somebody types for a user: an id, which it returns as it is, or the e-mail address of an account here. */
  async function userIdOf(text: string): Promise<string> {
    const email = normaliseEmail(text);
    const account = email === undefined ? undefined : await accounts.findByEmail(email);
    return account?.id ?? text;
  }

  return {
    entries,
    events,
    listing: createListing({ ...parts, entries, events }),
    rules,
    why: { jti: (jti: string) => whyJti(rules, jti) },
    ...createChanges({ ...parts, entries, rules, isUser, userIdOf }),
    userIdOf,

    /** An entry, and how often it refused a token. Throws `not_found` if there is none. */
    async show(kind: Kind, id: string): Promise<{ entry: Entry; uses: Uses | undefined }> {
      const found = await entries.find(kind, id);
      const uses = await Promise.all(found.map(({ key }) => entries.usesOf(key)));
      const [entry] = found;
      if (!entry) throw new CurfewError("not_found");
      return { entry, uses: uses.find((each) => each !== undefined) };
    },

    status: () => readStatus(parts, events),
  };
}

export type OpsParts = { tokens: Tokens; refreshTokens: RefreshTokens; sessions: Sessions };

export type Ops = ReturnType<typeof createOps>;

/** The same, where tokens themselves can be verified, too. The API, the command and the console only dress it. */
export function createOps(keyless: KeylessOps, parts: OpsParts) {
  return {
    ...keyless,
    why: createWhy({ ...parts, rules: keyless.rules }),

    /** As the keyless one, and throws `invalid_request` also for a token that isn't genuine. */
    revoke: async (target: Target, actor: Actor) =>
      keyless.revoke(
        "token" in target ? { named: await nameToken(parts.tokens, target.token) } : target,
        actor,
      ),
  };
}
