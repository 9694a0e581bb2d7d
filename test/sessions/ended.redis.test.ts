import { randomUUID } from "node:crypto";
import type { AccessToken } from "../../src/tokens/access-tokens";
import { useRedis } from "../helpers/redis";
import { openSessions } from "../helpers/sessions";
import { use } from "../helpers/use";

/** As long as they get: each is kept with a session that lives. */
const REQUESTER = { ip: "2001:0db8:85a3:0000:0000:8a2e:0370:7334", userAgent: "x".repeat(500) };
const DAY_MS = 86_400_000;

const redis = useRedis();
const sessions = use(() => openSessions(redis));

const now = () => Math.floor(Date.now() / 1000);
const sessionKey = (sid: string) => `curfew:session:${sid}`;
const sidKey = (sid: string) => `curfew:denylist:sid:${sid}`;

const open = async (user: string) =>
  (await sessions.open(user, REQUESTER, sessions.endOfNew(), now() + 900)).refreshToken;

const accessTokenOf = (sub: string, sid: string, exp: number): AccessToken => ({
  kind: "own",
  ...{ iss: "curfew", aud: "curfew", jti: randomUUID(), roles: [], epoch: "1-a" },
  ...{ sub, sid, exp, iat: exp - 900 },
});

const sizeOf = async (key: string) => Number(await redis.admin.call("MEMORY", "USAGE", key));
const eventCount = () => redis.admin.xlen("curfew:events");

/** What names a user or a session and is still there when the session's entries are gone. */
async function leftAfterEntries(user: string, sids: string[]): Promise<string[]> {
  const keys = await redis.admin.keys("*");
  const named = keys.filter((key) => [user, ...sids].some((name) => key.includes(name)));
  return named.filter((key) => !key.startsWith("curfew:denylist:")).sort();
}

describe("a session that ended", () => {
  it.each([
    [
      "all devices",
      (user: string, sid: string) =>
        sessions.logout(
          {
            accessToken: undefined,
            refreshToken: { sub: user, sid, generation: 0, exp: 0, endsAt: 0 },
            allDevices: true,
          },
          REQUESTER,
        ),
    ],
    ["its owner", (user: string, sid: string) => sessions.end(user, sid, "session_ended", REQUESTER)],
    ["a change of password", (user: string) => sessions.endAll(user, "password_changed", REQUESTER)],
  ])("by %s leaves 300 bytes at most behind, for as long as it would have lived", async (_title, end) => {
    const user = randomUUID();
    const { sid } = await open(user);
    expect(await sizeOf(sessionKey(sid))).toBeGreaterThan(1000);
    await end(user, sid);
    expect(await leftAfterEntries(user, [sid])).toEqual([sessionKey(sid)]);
    expect(await sizeOf(sessionKey(sid))).toBeLessThanOrEqual(300);
    const ttlMs = await redis.admin.pttl(sessionKey(sid));
    expect(ttlMs).toBeGreaterThan(29 * DAY_MS);
    expect(ttlMs).toBeLessThanOrEqual(30 * DAY_MS);
  });

  it("because there were too many leaves no more", async () => {
    const user = randomUUID();
    const sids = [];
    for (let count = 0; count < 102; count += 1) sids.push((await open(user)).sid);
    const live = (await sessions.list(user)).map(({ id }) => id);
    const ended = sids.filter((sid) => !live.includes(sid));
    expect(ended).toHaveLength(2);
    for (const sid of ended) expect(await sizeOf(sessionKey(sid))).toBeLessThanOrEqual(300);
  });

  it("tells when and why, and nothing else of itself", async () => {
    const user = randomUUID();
    const { sid } = await open(user);
    await sessions.end(user, sid, "session_ended", REQUESTER);
    expect(await redis.admin.hgetall(sessionKey(sid))).toEqual({
      user,
      ended_at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      ended_reason: "session_ended",
    });
  });

  it("gets a TTL though it had none", async () => {
    const user = randomUUID();
    const { sid } = await open(user);
    await redis.admin.persist(sessionKey(sid));
    await sessions.end(user, sid, "session_ended", REQUESTER);
    const [left, entry] = [await redis.admin.pttl(sessionKey(sid)), await redis.admin.pttl(sidKey(sid))];
    expect(Math.abs(left - entry)).toBeLessThan(1000);
  });

  it("is known again when its entry is gone, and makes no other and no event", async () => {
    const user = randomUUID();
    const refreshToken = await open(user);
    const { sid } = refreshToken;
    const credentials = { accessToken: undefined, refreshToken };
    expect(await sessions.logout({ ...credentials, allDevices: true }, REQUESTER)).toBe(true);
    await redis.admin.del(sidKey(sid));
    const before = await eventCount();
    expect(await sessions.logout({ ...credentials, allDevices: true }, REQUESTER)).toBe(true);
    expect(await sessions.logout({ ...credentials, allDevices: false }, REQUESTER)).toBe(true);
    expect(await sessions.end(user, sid, "session_ended", REQUESTER)).toBe(true);
    expect(await sessions.end(randomUUID(), sid, "session_ended", REQUESTER)).toBe(false);
    expect(await sessions.isLive(refreshToken)).toBe(false);
    await expect(
      sessions.rotate(refreshToken, REQUESTER, { accessExp: now() + 900, keepYoung: false }),
    ).rejects.toMatchObject({
      code: "refresh_token_invalid",
    });
    expect(await redis.admin.exists(sidKey(sid))).toBe(0);
    expect(await eventCount()).toBe(before);
  });

  it("is one also as the version before wrote it down", async () => {
    const user = randomUUID();
    const refreshToken = await open(user);
    const { sid } = refreshToken;
    const ended = { ended_at: "2030-01-01T00:00:00.000Z", ended_reason: "logout_all_devices" };
    await redis.admin.hset(sessionKey(sid), ended);
    await redis.admin.zrem(`curfew:user-sessions:${user}`, sid);
    const before = await eventCount();
    expect(await sessions.logout({ accessToken: undefined, refreshToken, allDevices: true }, REQUESTER)).toBe(
      true,
    );
    expect(await sessions.end(user, sid, "session_ended", REQUESTER)).toBe(true);
    expect(await sessions.isLive(refreshToken)).toBe(false);
    expect(await eventCount()).toBe(before);
    expect(await redis.admin.hgetall(sessionKey(sid))).toMatchObject(ended);
  });
});

describe("a session whose record is gone", () => {
  const logOut = (token: AccessToken) =>
    sessions.logout({ accessToken: token, refreshToken: undefined, allDevices: false }, REQUESTER);

  it("is denied for as long as one of its access tokens can live", async () => {
    const [user, sid] = [randomUUID(), randomUUID()];
    const token = accessTokenOf(user, sid, now() + 800);
    expect(await logOut(token)).toBe(true);
    const ttl = await redis.admin.ttl(sidKey(sid));
    expect(ttl).toBeGreaterThan(900);
    expect(ttl).toBeLessThanOrEqual(931);
    // A refresh token doesn't tell when the last access token was minted.
    const refreshToken = await open(user);
    await redis.admin.del(sessionKey(refreshToken.sid));
    expect(
      await sessions.logout({ accessToken: undefined, refreshToken, allDevices: false }, REQUESTER),
    ).toBe(true);
    expect(await redis.admin.ttl(sidKey(refreshToken.sid))).toBeGreaterThan(900);
    // One that expired a moment ago may have been refreshed just before.
    const other = randomUUID();
    expect(await logOut(accessTokenOf(user, other, now() - 60))).toBe(true);
    expect(await redis.admin.ttl(sidKey(other))).toBeGreaterThan(860);
  });

  it("is left alone when none can, so that old tokens fill nothing", async () => {
    const [user, sid] = [randomUUID(), randomUUID()];
    const before = await eventCount();
    expect(await logOut(accessTokenOf(user, sid, now() - 3600))).toBe(true);
    expect(await redis.admin.exists(sidKey(sid))).toBe(0);
    expect(await eventCount()).toBe(before);
  });
});
