import { randomUUID } from "node:crypto";
import { join } from "node:path";
import {
  endedBy,
  entryOf,
  jtiKey,
  NOBODY,
  sidKey,
  ttlMs,
  type WriteContext,
  type Reason,
  type Requester,
} from "../denylist/entry";
import { readWritingScript, type Args, type ScriptCall, type Writer } from "../denylist/writer";
import { CurfewError } from "../errors";
import type { Redis } from "../redis/redis";
import type { Script } from "../redis/script";
import type { Shards } from "../redis/shards";
import type { Settings } from "../settings/table";
import { CLOCK_ALLOWANCE_SECONDS, type AccessToken } from "../tokens/access-tokens";
import type { RefreshToken } from "../tokens/refresh-tokens";
import { createRecords, sessionKey, userSessionsKey, type OpenedAs } from "./records";

/** The result of opening or rotating a session: its next refresh token, and the epoch for its next access token. */
export type Opened = { refreshToken: RefreshToken; epoch: string };

/** A logout with its verified credentials. There is at least one of them; the access token may have expired. */
type Ending = {
  accessToken: AccessToken | undefined;
  refreshToken: RefreshToken | undefined;
  allDevices: boolean;
};

type Rotation = {
  /** The `exp` of the access token that will be minted with it (Unix seconds). */
  accessExp: number;
  /** Don't exchange a generation within its grace. */
  keepYoung: boolean;
};

export type SessionOptions = Pick<
  Settings,
  | "issuer"
  | "accessTtlSeconds"
  | "refreshTtlSeconds"
  | "sessionMaxTtlSeconds"
  | "refreshGraceSeconds"
  | "clockToleranceSeconds"
>;

export type Sessions = ReturnType<typeof createSessions>;

const SESSIONS_PER_USER = 100;

const fileOf = (name: string) => join(__dirname, `${name}.lua`);
const scriptOf = (name: string) => readWritingScript(fileOf("session"), fileOf(name));
const OPEN = scriptOf("open");
const ROTATE = scriptOf("rotate");
const IS_LIVE = scriptOf("is-live");
const END = scriptOf("end");
const LOGOUT = scriptOf("logout");

/** Opens, rotates, ends and lists sessions. Each is one hash in Redis, and each change to it is one Lua script. */
export function createSessions(redis: Redis, shards: Shards, writer: Writer, options: SessionOptions) {
  const records = createRecords(redis, shards);
  const { issuer, clockToleranceSeconds } = options;
  const marginMs = (CLOCK_ALLOWANCE_SECONDS + 2 * clockToleranceSeconds) * 1000;

  function work(script: Script, context: WriteContext, args: Args, jti?: string): ScriptCall {
    return {
      script,
      keys: (prefix) => [
        userSessionsKey(prefix, context.sub),
        ...(jti === undefined ? [] : [jtiKey(prefix, jti)]),
      ],
      args: (prefix) => ({
        session_key: sessionKey(prefix, ""),
        sid_key: sidKey(prefix, ""),
        grace_ms: options.refreshGraceSeconds * 1000,
        margin_ms: marginMs,
        entry: entryOf(context, issuer),
        ...args,
      }),
    };
  }

  /** The refresh token's times, and how long Redis must keep the session: until its last token has expired. */
  function refreshTimes(nowMs: number, endsAt: number, accessExp: number) {
    const exp = Math.min(Math.floor(nowMs / 1000) + options.refreshTtlSeconds, endsAt);
    return {
      exp,
      expires_at: rfc3339(exp * 1000),
      ttl_ms: Math.max(exp * 1000, accessExp * 1000 + marginMs) - nowMs,
    };
  }

  /**
   * When the access tokens of a session without a record have expired. Either the record was lost, and no token was
   * minted since, or the session ended long ago: then no entry is needed, however often an old token is presented.
   */
  const siblingExp = (latestIat: number) => latestIat + options.accessTtlSeconds;

  return {
    ...records,

    /** When a session that is opened now ends at the latest (Unix seconds). */
    endOfNew: () => Math.floor(Date.now() / 1000) + options.sessionMaxTtlSeconds,

    /** `openedAs` is kept with the session of somebody who has no account. */
    async open(
      user: string,
      requester: Requester,
      endsAt: number,
      accessExp: number,
      openedAs?: OpenedAs,
    ): Promise<Opened> {
      const nowMs = Date.now();
      const sid = randomUUID();
      const { exp, ...times } = refreshTimes(nowMs, endsAt, accessExp);
      const context = { sub: user, by: user, requester, nowMs };
      const args = {
        sid,
        access_exp: accessExp,
        ends_at: rfc3339(endsAt * 1000),
        ...times,
        limit: SESSIONS_PER_USER,
        opened_as: openedAs ? JSON.stringify(openedAs) : "",
      };
      const [epoch] = (await writer.run(context, work(OPEN, context, args))) as [string];
      return { refreshToken: { sub: user, sid, generation: 0, exp, endsAt }, epoch };
    },

    /**
     * Throws `refresh_token_invalid` if the session is over, `refresh_token_reused` if this generation was used before.
     */
    async rotate(
      token: RefreshToken,
      requester: Requester,
      { accessExp, keepYoung }: Rotation,
    ): Promise<Opened> {
      const nowMs = Date.now();
      const { sub: user, sid, generation, endsAt } = token;
      const { exp, ...times } = refreshTimes(nowMs, endsAt, accessExp);
      const context = { sub: user, by: "curfew", requester, nowMs };
      const args = {
        sid,
        generation,
        access_exp: accessExp,
        ...times,
        keep_young: Number(keepYoung),
      };
      const reply = await writer.run(context, work(ROTATE, context, args));
      const [verdict, , epoch, next] = reply as [string, string, string, number];
      if (verdict === "reused") throw new CurfewError("refresh_token_reused", { about: { sub: user, sid } });
      if (verdict !== "rotated")
        throw new CurfewError("refresh_token_invalid", { why: await records.whyOver(token) });
      return { refreshToken: { ...token, generation: next, exp }, epoch };
    },

    /** Whether a refresh token would be accepted now. Changes nothing. */
    async isLive({ sub, sid, generation }: RefreshToken): Promise<boolean> {
      const context = { sub, by: sub, requester: NOBODY, nowMs: Date.now() };
      return (await writer.look(context, work(IS_LIVE, context, { sid, generation }))) === 1;
    },

    /**
     * Ends the sessions that the credentials name, or all of the user's. Resolves to false if `allDevices` was asked
     * for with credentials that are no longer alive. `client` is who asked, if it wasn't the user.
     */
    async logout(
      { accessToken, refreshToken, allDevices }: Ending,
      requester: Requester,
      client?: string,
    ): Promise<boolean> {
      const user = accessToken?.sub ?? refreshToken?.sub ?? "";
      const nowMs = Date.now();
      const nowSeconds = Math.ceil(nowMs / 1000);
      const isExpired = !accessToken || nowMs >= (accessToken.exp + clockToleranceSeconds) * 1000;
      const { by, reason } = endedBy(user, client);
      const context = { sub: user, by, requester, nowMs };
      const args = {
        access_sid: accessToken?.sid ?? "",
        access_jti: accessToken?.jti ?? "",
        access_epoch: accessToken?.epoch ?? "",
        access_entry: entryOf(context, issuer, accessToken),
        access_ttl_ms: ttlMs(accessToken?.exp ?? 0, clockToleranceSeconds, nowMs),
        access_is_expired: Number(isExpired),
        access_sibling_exp: siblingExp(Math.min(nowSeconds, accessToken?.exp ?? 0)),
        refresh_sid: refreshToken?.sid ?? "",
        refresh_sibling_exp: siblingExp(nowSeconds),
        reason,
        all_devices: Number(allDevices),
      };
      return (await writer.revoke(context, work(LOGOUT, context, args, accessToken?.jti))) === "done";
    },

    /** Resolves to false if the user has no such session. Ending one that is over already is a success. */
    async end(
      user: string,
      sid: string,
      reason: Reason,
      requester: Requester,
      said: { by?: string; note?: string } = {},
    ): Promise<boolean> {
      const context = { sub: user, by: user, requester, nowMs: Date.now(), ...said };
      return (await writer.revoke(context, work(END, context, { reason, sid, keep: "" }))) === "done";
    },

    async endAll(
      user: string,
      reason: Reason,
      requester: Requester,
      { except = "", ...said }: { except?: string; by?: string; note?: string } = {},
    ): Promise<void> {
      const context = { sub: user, by: user, requester, nowMs: Date.now(), ...said };
      await writer.revoke(context, work(END, context, { reason, sid: "", keep: except }));
    },
  };
}

const rfc3339 = (ms: number) => new Date(ms).toISOString();
