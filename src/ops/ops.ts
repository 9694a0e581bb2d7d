import type { Tokens } from "../auth/tokens";
import type { Denylist } from "../denylist/denylist";
import type { Revoker } from "../denylist/revoker";
import type { TrustedIssuer } from "../issuers/foreign-tokens";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import type { Sessions } from "../sessions/sessions";
import type { RefreshTokens } from "../tokens/refresh-tokens";
import { createChanges } from "./changes";
import { createEntries } from "./entries";
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
  revoker: Revoker;
  sessions: Sessions;
  issuers: readonly TrustedIssuer[];
  isUser: (id: string) => Promise<boolean>;
};

export type Ops = ReturnType<typeof createOps>;

/** What ops staff can find, explain, revoke and lift. The API, the command and the console only dress it. */
export function createOps(parts: OpsParts) {
  const { redis, shards, sessions } = parts;
  const entries = createEntries(redis, shards);
  const events = createEvents(redis, shards);
  const why = createWhy({ ...parts, entries });
  return {
    entries,
    events,
    listing: createListing(redis, shards, entries, events),
    why,
    ...createChanges({ ...parts, entries, why }),
    sessionsOf: (user: string) => sessions.list(user),
    status: () => readStatus(redis, shards, events),
  };
}
