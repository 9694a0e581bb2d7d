import { join } from "node:path";
import type { Shards } from "../redis/shards";
import { cutOffNow, type Bounds } from "./cut-off";
import {
  contextOf,
  entryOf,
  foreign,
  jtiKey,
  sidKey,
  subKey,
  ttlMs,
  usesKeyOf,
  type Grounds,
  type WriteContext,
} from "./entry";
import type { StreamEvent } from "./events";
import { readWritingScript, type ScriptCall, type Writer } from "./writer";

/**
 * A token by its id. `keyId` is how a foreign one's appears in keys, behind its issuer's name. Without its subject, it
 * must be denied in every shard.
 */
export type NamedToken = {
  jti: string;
  exp: number;
  sub?: string;
  sid?: string;
  iat?: number;
  foreign?: { iss: string; keyId: string };
};

/** A foreign session or subject by its name; `keyId` is how the name appears in keys. */
type NamedSession = Bounds & { issuer: string; iss: string; sid: string; keyId: string };
type NamedSubject = Bounds & { issuer: string; iss: string; sub: string; keyId: string };

/** An entry that is to be deleted, and what the event says it was. */
type Lifted = {
  prefix: string;
  key: string;
  kind: "token" | "session" | "user";
  sub: string;
  sid: string;
  jti: string;
};

/** Revokes without a credential what is known by name. Resolves only when Redis has acknowledged it. */
export type Revoker = {
  token(token: NamedToken, grounds: Grounds): Promise<void>;
  /** A foreign session whose subject isn't known: it is denied in every shard. */
  session(session: NamedSession, grounds: Grounds): Promise<void>;
  subject(subject: NamedSubject, grounds: Grounds): Promise<void>;
  /** Deletes an entry. Resolves to false if there is none. */
  lift(entry: Lifted, grounds: Omit<Grounds, "reason">): Promise<boolean>;
};

export type RevokerOptions = { issuer: string; clockToleranceSeconds: number };

const REVOKE_NAMED = readWritingScript(join(__dirname, "revoke-named.lua"));
const CUT_OFF = readWritingScript(join(__dirname, "subject.lua"), join(__dirname, "cut-off.lua"));
const LIFT = readWritingScript(join(__dirname, "lift.lua"));

export function createRevoker(writer: Writer, shards: Shards, options: RevokerOptions): Revoker {
  const { issuer: ownIss, clockToleranceSeconds } = options;

  /** Only one shard reports it, and only once all have denied it; but each must remember an event of its own. */
  async function inShards(context: WriteContext, kind: string, workOf: (kind: string) => ScriptCall) {
    const [first, ...others] = context.sub === "" ? shards.prefixes : [shards.prefixOf(context.sub)];
    await Promise.all(others.map((prefix) => writer.revoke(context, workOf(""), prefix)));
    await writer.revoke(context, workOf(kind), first);
  }

  return {
    async token({ jti, exp, sub = "", sid, iat, foreign: issued }, grounds) {
      const context = contextOf(sub, grounds);
      const { reason } = grounds;
      const named = { jti, sid: sid ?? null, iat: iat ?? null, exp };
      await inShards(context, "token", (kind) => ({
        script: REVOKE_NAMED,
        keys: (prefix) => [jtiKey(prefix, issued?.keyId ?? jti)],
        args: () => ({
          entry: entryOf(context, issued?.iss ?? ownIss, named, { reason }),
          ttl_ms: ttlMs(exp, clockToleranceSeconds, context.nowMs),
          ...{ reason, kind, sid: sid ?? "", jti },
        }),
      }));
    },

    async session({ issuer, iss, sid, keyId, ...bounds }, grounds) {
      const context = contextOf("", grounds);
      const { reason } = grounds;
      const { ttlMs: longestMs } = cutOffNow(bounds, clockToleranceSeconds, context.nowMs);
      const exp = Math.ceil((context.nowMs + longestMs) / 1000);
      await inShards(context, "session", (kind) => ({
        script: REVOKE_NAMED,
        keys: (prefix) => [sidKey(prefix, foreign(issuer, keyId))],
        args: () => ({
          entry: entryOf(context, iss, { jti: null, sid, iat: null, exp }, { reason }),
          ttl_ms: longestMs,
          ...{ reason, kind, sid, jti: "" },
        }),
      }));
    },

    async subject({ issuer, iss, sub, keyId, ...bounds }, grounds) {
      const context = contextOf(foreign(issuer, sub), grounds);
      const { cutoff, ttlMs } = cutOffNow(bounds, clockToleranceSeconds, context.nowMs);
      const { reason } = grounds;
      await writer.revoke(context, {
        script: CUT_OFF,
        keys: (prefix) => [subKey(prefix, foreign(issuer, keyId))],
        args: () => ({
          subject_entry: entryOf(context, iss, undefined, { cutoff: null, reason }),
          subject_ttl_ms: ttlMs,
          cutoff,
          reason,
        }),
      });
    },

    async lift({ prefix, key, sub, ...named }, grounds) {
      const work: ScriptCall = {
        script: LIFT,
        keys: () => [key, usesKeyOf(prefix, key)],
        args: () => ({ event: "lifted" satisfies StreamEvent, ...named }),
      };
      return (await writer.revoke(contextOf(sub, grounds), work, prefix)) === "lifted";
    },
  };
}
