import { join } from "node:path";
import type { Shards } from "../redis/shards";
import { cutOffNow, type Bounds } from "./cut-off";
import { entryOf, foreign, jtiKey, NOBODY, subKey, ttlMs, type Call, type Reason } from "./entry";
import { readWritingScript, type Work, type Writer } from "./writer";

/** Why, at whose wish, and in whose own words. */
export type Because = { reason: Reason; by: string; note?: string };

/** A token of ours by its name. Without its subject it must be denied wherever it could be looked for. */
export type NamedToken = { jti: string; exp: number; sub?: string };

/** A subject of an outside issuer by its name; `keyId` is how that appears in keys. */
type NamedSubject = Bounds & { issuer: string; iss: string; sub: string; keyId: string };

/** Revokes what is known by its name alone, without a credential. Resolves only when Redis has acknowledged it. */
export type Revoker = {
  token(token: NamedToken, because: Because): Promise<void>;
  subject(subject: NamedSubject, because: Because): Promise<void>;
};

export type RevokerOptions = { issuer: string; clockToleranceSeconds: number };

const REVOKE_TOKEN = readWritingScript(join(__dirname, "revoke-token.lua"));
const CUT_OFF = readWritingScript(join(__dirname, "subject.lua"), join(__dirname, "cut-off.lua"));

export function createRevoker(writer: Writer, shards: Shards, options: RevokerOptions): Revoker {
  const { issuer: iss, clockToleranceSeconds } = options;

  const callOf = (sub: string, { by, note }: Because): Call => ({
    ...{ sub, by, requester: NOBODY, nowMs: Date.now() },
    ...(note !== undefined && { note }),
  });

  const tokenWork = ({ jti, exp }: NamedToken, reason: Reason, call: Call, kind: string): Work => ({
    script: REVOKE_TOKEN,
    keys: (prefix) => [jtiKey(prefix, jti)],
    args: () => ({
      token_entry: entryOf(call, iss, { jti, sid: null, iat: null, exp }, { reason }),
      token_ttl_ms: ttlMs(exp, clockToleranceSeconds, call.nowMs),
      reason,
      kind,
      jti,
    }),
  });

  return {
    async token(token, because) {
      const call = callOf(token.sub ?? "", because);
      const work = (kind: string) => tokenWork(token, because.reason, call, kind);
      const prefixes = token.sub === undefined ? shards.prefixes : [shards.prefixOf(token.sub)];
      // It is news in one of them, once it is denied in all; but each must remember that it knew.
      const [first, ...others] = prefixes;
      await Promise.all(others.map((prefix) => writer.revoke(call, work(""), prefix)));
      await writer.revoke(call, work("token"), first);
    },

    async subject({ issuer, iss, sub, keyId, ...bounds }, because) {
      const call = callOf(foreign(issuer, sub), because);
      const { cutoff, ttlMs } = cutOffNow(bounds, clockToleranceSeconds, call.nowMs);
      const { reason } = because;
      await writer.revoke(call, {
        script: CUT_OFF,
        keys: (prefix) => [subKey(prefix, foreign(issuer, keyId))],
        args: () => ({
          subject_entry: entryOf(call, iss, undefined, { cutoff: null, reason }),
          subject_ttl_ms: ttlMs,
          cutoff,
          reason,
        }),
      });
    },
  };
}
