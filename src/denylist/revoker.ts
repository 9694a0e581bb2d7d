import { join } from "node:path";
import type { Shards } from "../redis/shards";
import { cutOffNow, type Bounds } from "./cut-off";
import { entryOf, foreign, jtiKey, NOBODY, subKey, ttlMs, type WriteContext, type Reason } from "./entry";
import { readWritingScript, type ScriptCall, type Writer } from "./writer";

/** Why, on whose behalf, and in whose own words. */
export type Grounds = { reason: Reason; by: string; note?: string };

/** One of Curfew's own tokens, by its id. Without its subject, it must be denied in every shard. */
export type NamedToken = { jti: string; exp: number; sub?: string };

/** A foreign subject by its name; `keyId` is how the name appears in keys. */
type NamedSubject = Bounds & { issuer: string; iss: string; sub: string; keyId: string };

/** Revokes without a credential what is known by name. Resolves only when Redis has acknowledged it. */
export type Revoker = {
  token(token: NamedToken, grounds: Grounds): Promise<void>;
  subject(subject: NamedSubject, grounds: Grounds): Promise<void>;
};

export type RevokerOptions = { issuer: string; clockToleranceSeconds: number };

const REVOKE_TOKEN = readWritingScript(join(__dirname, "revoke-token.lua"));
const CUT_OFF = readWritingScript(join(__dirname, "subject.lua"), join(__dirname, "cut-off.lua"));

export function createRevoker(writer: Writer, shards: Shards, options: RevokerOptions): Revoker {
  const { issuer: iss, clockToleranceSeconds } = options;

  const contextOf = (sub: string, { by, note }: Grounds): WriteContext => ({
    ...{ sub, by, requester: NOBODY, nowMs: Date.now() },
    ...(note !== undefined && { note }),
  });

  const tokenScript = (
    { jti, exp }: NamedToken,
    reason: Reason,
    context: WriteContext,
    kind: string,
  ): ScriptCall => ({
    script: REVOKE_TOKEN,
    keys: (prefix) => [jtiKey(prefix, jti)],
    args: () => ({
      token_entry: entryOf(context, iss, { jti, sid: null, iat: null, exp }, { reason }),
      token_ttl_ms: ttlMs(exp, clockToleranceSeconds, context.nowMs),
      reason,
      kind,
      jti,
    }),
  });

  return {
    async token(token, grounds) {
      const context = contextOf(token.sub ?? "", grounds);
      const work = (kind: string) => tokenScript(token, grounds.reason, context, kind);
      const prefixes = token.sub === undefined ? shards.prefixes : [shards.prefixOf(token.sub)];
      // Only one shard reports it, and only once all have denied it; but each must remember an event of its own.
      const [first, ...others] = prefixes;
      await Promise.all(others.map((prefix) => writer.revoke(context, work(""), prefix)));
      await writer.revoke(context, work("token"), first);
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
  };
}
