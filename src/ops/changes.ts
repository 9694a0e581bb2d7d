import { KINDS, NOBODY, type Grounds, type Kind } from "../denylist/entry";
import { beganAt, epochKey } from "../denylist/past/epochs";
import type { NamedToken, Revoker } from "../denylist/revoker";
import { CurfewError } from "../errors";
import { keyIdOf } from "../issuers/foreign-ids";
import type { Redis } from "../redis/redis";
import type { Sessions } from "../sessions/sessions";
import type { Entries, Entry } from "./entries";
import type { Rule, Rules } from "./rules";
import { nameJti, readForeign, type Lifetimes, type NamedTarget } from "./targets";

/** Who does it, why in their own words, and where the request came from. */
export type Actor = Omit<Grounds, "reason">;

export type ChangesParts = Lifetimes & {
  redis: Redis;
  revoker: Revoker;
  sessions: Pick<Sessions, "end" | "endAll" | "list" | "ownerOf">;
  entries: Entries;
  rules: Rules;
  /** Whether there is an account with this id. */
  isUser: (id: string) => Promise<boolean>;
  userIdOf: (text: string) => Promise<string>;
};

/** Revokes and lifts in the name of ops staff. Each resolves only when Redis has acknowledged it. */
export function createChanges(parts: ChangesParts) {
  const { redis, revoker, sessions, entries, rules, issuers, isUser, userIdOf } = parts;

  async function revokeToken(token: NamedToken, grounds: Grounds): Promise<{ kind: Kind; id: string }> {
    await revoker.token(token, grounds);
    return { kind: "token", id: token.foreign?.keyId ?? token.jti };
  }

  async function revokeSession(sid: string, grounds: Grounds): Promise<void> {
    const named = readForeign(issuers, sid);
    if (named) {
      await revoker.session({ ...named, sid: named.id }, grounds);
      return;
    }
    const { reason, requester = NOBODY, ...said } = grounds;
    const owner = await sessions.ownerOf(sid);
    if (owner === undefined || !(await sessions.end(owner, sid, reason, requester, said))) {
      throw new CurfewError("not_found");
    }
  }

  async function revokeUser(user: string, grounds: Grounds): Promise<void> {
    const named = readForeign(issuers, user);
    if (named) {
      await revoker.subject({ ...named, sub: named.id }, grounds);
      return;
    }
    const { reason, requester = NOBODY, ...said } = grounds;
    if ((await sessions.list(user)).length === 0 && !(await isUser(user))) throw new CurfewError("not_found");
    await sessions.endAll(user, reason, requester, said);
  }

  return {
    /**
     * A token is denied alone, and its session lives on. Returns what was revoked, by its id. Throws `invalid_request`
     * for an id that no token can have, and `not_found` for a session or a user that there isn't.
     */
    async revoke(target: NamedTarget, actor: Actor): Promise<{ kind: Kind; id: string }> {
      const grounds: Grounds = { ...actor, reason: "revoked_by_ops" };
      if ("named" in target) return revokeToken(target.named, grounds);
      if ("jti" in target) return revokeToken(nameJti(parts, target.jti, target.exp), grounds);
      if ("session" in target) {
        await revokeSession(target.session, grounds);
        return { kind: "session", id: target.session };
      }
      const id = await userIdOf(target.user);
      await revokeUser(id, grounds);
      return { kind: "user", id };
    },

    /**
     * Deletes an entry, and returns it with the rules that refuse the same token all the same. Throws `not_found` if
     * there is none. A session that was ended stays over: only its access tokens are accepted again.
     */
    async lift(kind: Kind, id: string, actor: Actor): Promise<{ lifted: Entry; stillRefusedBy: Rule[] }> {
      const found = await entries.find(kind, id);
      const done = await Promise.all(found.map((entry) => liftOne(entry, actor)));
      const lifted = found.find((_, at) => done[at]);
      if (!lifted) throw new CurfewError("not_found");
      return { lifted, stillRefusedBy: await rulesLeft(lifted) };
    },
  };

  async function liftOne({ kind, id, key, sub, sid, jti }: Entry, actor: Actor): Promise<boolean> {
    const place = entries.placeOf(key);
    if (!place) return false;
    const names = { sub: sub ?? "", sid: sid ?? "", jti: jti ?? "" };
    // What somebody wrote by hand may not say what it denies. The event must all the same.
    names[KINDS[kind]] ||= id;
    return revoker.lift({ prefix: place.prefix, key, kind, ...names }, actor);
  }

  /** As the check would have it, for a token with the names that the entry has. */
  async function rulesLeft({ key, sub, jti, sid, iat, exp }: Entry): Promise<Rule[]> {
    const place = entries.placeOf(key);
    if (!place || sub === null) return [];
    const named = readForeign(issuers, sub);
    const token = { jti: jti ?? "", iat: iat ?? Infinity, exp: exp ?? 0 };
    if (named) {
      const { id, keyId, ...issuer } = named;
      const keyIds = { sub: keyId, jti: keyIdOf(token.jti), sid: sid === null ? undefined : keyIdOf(sid) };
      return rules.against({
        ...{ kind: "foreign", ...issuer, sub: id, sid: sid ?? undefined, keyIds, ...token },
        claims: {},
      });
    }
    const epoch = (await redis.ask((client) => client.get(epochKey(place.prefix)))) ?? "";
    const carried = token.iat < beganAt(epoch) ? "" : epoch;
    return rules.against({
      ...{ kind: "own", iss: "", aud: "", sub, sid: sid ?? "", ...token, roles: [], epoch: carried },
    });
  }
}
