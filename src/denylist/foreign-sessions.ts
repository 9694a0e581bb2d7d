import { join } from "node:path";
import type { ForeignToken } from "../issuers/foreign-tokens";
import { cutOffNow } from "./cut-off";
import {
  endedBy,
  entryOf,
  foreign,
  foreignKeys,
  ttlMs,
  type WriteContext,
  type Reason,
  type Requester,
} from "./entry";
import { readWritingScript, type ScriptCall, type Writer } from "./writer";

type Ending = { accessToken: ForeignToken; allDevices: boolean };

/** Ends foreign sessions on this side. Their issuer may open another one at any time. */
export type ForeignSessions = {
  /**
   * Denies the token and its session, or every token that its subject has so far. Resolves to false if `allDevices` was
   * asked for with a token that is no longer alive. `client` is who asks, if it isn't the token's owner.
   */
  logout(ending: Ending, requester: Requester, client?: string): Promise<boolean>;
};

const LOG_OUT = readWritingScript(join(__dirname, "subject.lua"), join(__dirname, "log-out-foreign.lua"));

export function createForeignSessions(writer: Writer, clockToleranceSeconds: number): ForeignSessions {
  function work(
    { accessToken: token, allDevices }: Ending,
    reason: Reason,
    context: WriteContext,
  ): ScriptCall {
    const { iss, jti, sid, iat, exp, sinceEpoch } = token;
    const { cutoff, ttlMs: longestMs } = cutOffNow(token, clockToleranceSeconds, context.nowMs, iat);
    const named = { jti, sid: sid ?? null, iat, exp };
    return {
      script: LOG_OUT,
      keys(prefix) {
        const keys = foreignKeys(prefix, token);
        return [keys.jti, keys.sub, ...(keys.sid === undefined ? [] : [keys.sid])];
      },
      args: () => ({
        sid: sid ?? "",
        jti,
        iat,
        is_expired: Number(context.nowMs / 1000 >= exp + clockToleranceSeconds),
        since_epoch: Number(sinceEpoch),
        reason,
        all_devices: Number(allDevices),
        cutoff,
        token_entry: entryOf(context, iss, named),
        subject_entry: entryOf(context, iss, named, { cutoff: null }),
        token_ttl_ms: ttlMs(exp, clockToleranceSeconds, context.nowMs),
        session_ttl_ms: longestMs,
        subject_ttl_ms: longestMs,
      }),
    };
  }

  return {
    async logout(ending, requester, client) {
      const { issuer, sub: subject } = ending.accessToken;
      const sub = foreign(issuer, subject);
      const { by, reason } = endedBy(sub, client);
      const context = { sub, by, requester, nowMs: Date.now() };
      return (await writer.revoke(context, work(ending, reason, context))) === "done";
    },
  };
}
