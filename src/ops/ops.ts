import { normaliseEmail, type Accounts } from "../accounts/accounts";
import type { Tokens } from "../auth/tokens";
import type { Denylist } from "../denylist/denylist";
import type { Mirror } from "../denylist/mirror/mirror";
import type { Revoker } from "../denylist/revoker";
import type { TrustedIssuer } from "../issuers/foreign-tokens";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import type { Sessions } from "../sessions/sessions";
import type { RefreshTokens } from "../tokens/refresh-tokens";
import { CurfewError } from "../errors";
import { createChanges } from "./changes";
import { createEntries, type Entry, type Kind, type Uses } from "./entries";
import { createEvents } from "./events";
import { createListing } from "./listing";
import { readStatus } from "./status";
import { createWhy } from "./why";

export type OpsParts = {
  redis: Redis;
  shards: Shards;
  tokens: Tokens;
  refreshTokens: RefreshTokens;
  denylist: Denylist;
  mirror: Mirror | undefined;
  revoker: Revoker;
  sessions: Sessions;
  issuers: readonly TrustedIssuer[];
  accounts: Pick<Accounts, "findByEmail" | "findById">;
};

export type Ops = ReturnType<typeof createOps>;

/** What ops staff can find, explain, revoke and lift. The API, the command and the console only dress it. */
export function createOps(parts: OpsParts) {
  const { redis, shards, accounts } = parts;
  const entries = createEntries(redis, shards);
  const events = createEvents(redis, shards);
  const why = createWhy({ ...parts, entries });
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
    listing: createListing(redis, shards, entries, events),
    why,
    ...createChanges({ ...parts, entries, why, isUser, userIdOf }),
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
