import { randomUUID } from "node:crypto";
import type { AccessToken } from "../../src/tokens/access-tokens";
import { useRedis } from "../helpers/redis";
import { openSessions } from "../helpers/sessions";
import { use } from "../helpers/use";

const REQUESTER = { ip: "192.0.2.1", userAgent: "test" };
const TOLERANCE_SECONDS = 60;
const DAY_MS = 86_400_000;

const redis = useRedis();
const sessions = use(() => openSessions(redis));
/** Another instance, which puts up with clocks that differ. */
const tolerant = use(() => openSessions(redis, { clockToleranceSeconds: TOLERANCE_SECONDS }));

const now = () => Math.floor(Date.now() / 1000);
const sessionKey = (sid: string) => `curfew:session:${sid}`;
const userSessionsKey = (user: string) => `curfew:user-sessions:${user}`;
const sidKey = (sid: string) => `curfew:denylist:sid:${sid}`;

async function open({ user = randomUUID(), accessExp = now() + 900, on = sessions } = {}) {
  const { refreshToken, epoch } = await on.open(user, REQUESTER, on.endOfNew(), accessExp);
  const accessToken: AccessToken = {
    kind: "own",
    ...{ iss: "curfew", aud: "curfew", jti: randomUUID(), roles: [] },
    ...{ sub: user, sid: refreshToken.sid, iat: accessExp - 900, exp: accessExp, epoch },
  };
  return { user, sid: refreshToken.sid, refreshToken, accessToken };
}

const logOut = (accessToken: AccessToken, allDevices: boolean, on = sessions) =>
  on.logout({ accessToken, refreshToken: undefined, allDevices }, REQUESTER);

describe("a session's entry", () => {
  it("covers the longest-lived of its access tokens, though instances differ in ACCESS_TTL", async () => {
    const accessExp = now() + 3600;
    const { user, sid, refreshToken } = await open({ accessExp });
    await sessions.rotate(refreshToken, REQUESTER, { accessExp: now() + 60, keepYoung: false });
    await sessions.end(user, sid, "session_ended", REQUESTER);
    expect(now() + (await redis.admin.ttl(sidKey(sid)))).toBeGreaterThanOrEqual(accessExp + 29);
  });

  it("lives for the clocks' difference longer: once for the verifier's leeway, once for the instances'", async () => {
    const accessExp = now() + 900;
    const { user, sid } = await open({ accessExp, on: tolerant });
    await tolerant.end(user, sid, "session_ended", REQUESTER);
    const until = now() + (await redis.admin.ttl(sidKey(sid)));
    expect(until).toBeGreaterThanOrEqual(accessExp + 30 + 2 * TOLERANCE_SECONDS - 1);
  });
});

describe("a refresh", () => {
  it("keeps the session and its place among its user's for as long as the new refresh token lives", async () => {
    const { user, sid, refreshToken } = await open();
    const keys = [sessionKey(sid), userSessionsKey(user)];
    // Thirty days later, but for a minute.
    for (const key of keys) await redis.admin.pexpire(key, 60_000);
    await sessions.rotate(refreshToken, REQUESTER, { accessExp: now() + 900, keepYoung: false });
    for (const key of keys) expect(await redis.admin.pttl(key)).toBeGreaterThan(29 * DAY_MS);
  });
});

describe("a call that Redis meets when nobody waits for it any more", () => {
  it("opens no session", async () => {
    const user = randomUUID();
    const late = sessions.late(1000).open(user, REQUESTER, sessions.endOfNew(), now() + 900);
    await expect(late).rejects.toMatchObject({ code: "denylist_unavailable" });
    expect(await redis.admin.exists(userSessionsKey(user))).toBe(0);
    expect(await sessions.list(user)).toEqual([]);
  });

  it("still ends one", async () => {
    const { user, sid } = await open();
    expect(await sessions.late(1000).end(user, sid, "session_ended", REQUESTER)).toBe(true);
    expect(await redis.admin.exists(sidKey(sid))).toBe(1);
  });
});

describe("a logout that failed half-way", () => {
  it("tells of itself when it is tried again", async () => {
    const { sid, accessToken } = await open();
    await redis.admin.rename("curfew:events", "kept");
    await redis.admin.set("curfew:events", "no stream");
    await expect(logOut(accessToken, false)).rejects.toMatchObject({ code: "denylist_unavailable" });
    await redis.admin.rename("kept", "curfew:events");
    expect(await logOut(accessToken, false)).toBe(true);
    const events = await redis.admin.xrange("curfew:events", "-", "+");
    expect(events.filter(([, fields]) => fields.includes(sid))).toHaveLength(1);
  });
});

describe("all devices", () => {
  it("can't be asked for by a token from before the epoch", async () => {
    const other = await open();
    const { sid, accessToken } = await open({ user: other.user });
    expect(await logOut({ ...accessToken, epoch: "1600000000-a" }, true)).toBe(false);
    expect((await sessions.list(other.user)).map(({ id }) => id)).toEqual([other.sid]);
    expect(await redis.admin.exists(sidKey(sid))).toBe(1);
  });

  it("can be asked for by a token that is accepted within the tolerance, and not after it", async () => {
    const ask = async (expiredSeconds: number) => {
      const other = await open();
      const { accessToken } = await open({ user: other.user, accessExp: now() - expiredSeconds });
      const isDone = await logOut(accessToken, true, tolerant);
      expect(await sessions.list(other.user)).toHaveLength(isDone ? 0 : 1);
      return isDone;
    };
    expect(await ask(TOLERANCE_SECONDS / 2)).toBe(true);
    expect(await ask(TOLERANCE_SECONDS + 1)).toBe(false);
  });
});

describe("the list of sessions", () => {
  it("leaves out one that lapsed and only waits for its last access token to expire", async () => {
    const lapsing = await openSessions(redis, { refreshTtlSeconds: 0 });
    const { user, sid } = await open({ on: lapsing });
    const { sid: other } = await open({ user });
    lapsing.stop();
    expect(await redis.admin.exists(sessionKey(sid))).toBe(1);
    expect((await sessions.list(user)).map(({ id }) => id)).toEqual([other]);
  });
});
