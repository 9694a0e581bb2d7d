import { randomUUID } from "node:crypto";
import type { Actor } from "../../src/ops/changes";
import { keyIdOf } from "../../src/issuers/foreign-ids";
import type { TrustedIssuer } from "../../src/issuers/trusted-issuer";
import { createOneShard } from "../../src/redis/shards";
import { eventually, PASSWORD } from "../helpers/client";
import { readEvents } from "../helpers/events";
import { forge, vary } from "../helpers/jws";
import { SHARDS, useCore } from "../helpers/ops";
import { useRedis } from "../helpers/redis";
import { SECRET } from "../helpers/service";

const ACTOR: Actor = { by: "ops:ada@example.com", note: "a lost phone" };
const CLERK: TrustedIssuer = {
  ...{ name: "clerk", issuer: "https://clerk.example", keys: { jwksUri: "http://127.0.0.1:1" } },
  ...{ audience: null, logoutAudience: null, algorithms: ["RS256"], typ: undefined, required: [] },
  ...{ claims: { tokenId: "jti", session: "sid", subject: "sub" } },
  ...{ clockLeadSeconds: 5, maxLifetimeSeconds: 3600, sinceEpoch: true },
};
const REQUESTER = { ip: "192.0.2.7", userAgent: "Pocket/1.0" };

describe.each([
  ["one shard", createOneShard("curfew:")],
  ["several shards", SHARDS],
])("ops, with %s", (_title, shards) => {
  const redis = useRedis();
  const core = useCore(redis, { shards, issuers: [CLERK] });

  async function signUp() {
    const granted = await core.auth.register(`${randomUUID()}@example.com`, PASSWORD, REQUESTER);
    const token = await core.tokens.verify(granted.accessToken);
    if (token.kind === "foreign") throw new Error("It is one of ours.");
    return { ...granted, token, user: token.sub, jti: token.jti };
  }
  const logout = ({ accessToken }: { accessToken: string }) =>
    core.auth.logout(
      { access: { token: accessToken, transport: "bearer" }, refresh: undefined, allDevices: false },
      REQUESTER,
    );
  /** Somebody has stolen the token. */
  async function use({ token }: Awaited<ReturnType<typeof signUp>>): Promise<void> {
    const refused = await core.denylist.assertNotRevoked(token).catch((error: unknown) => error);
    core.alarms.raise(refused, {
      by: "",
      requester: { ip: "198.51.100.1", userAgent: "Thief/1" },
      about: {},
    });
  }
  const why = (token: string) => core.ops.why.token(token);
  const rulesOf = async (token: string) => (await why(token)).rules.map(({ rule }) => rule);

  it("says that a token is alive, and whose it is", async () => {
    const { accessToken, user, jti, sid } = await signUp();
    expect(await why(accessToken)).toMatchObject({
      verdict: "alive",
      rules: [],
      token: { kind: "own", sub: user, jti, sid },
    });
  });

  it("names every entry that refuses a token: who, when, why and from where", async () => {
    const someone = await signUp();
    await logout(someone);
    const { verdict, rules } = await why(someone.accessToken);
    expect(verdict).toBe("dead");
    expect(rules.map(({ rule }) => rule)).toEqual(["jti", "sid"]);
    expect(rules[0]?.entry).toMatchObject({
      ...{ kind: "token", id: someone.jti, jti: someone.jti, sub: someone.user, sid: someone.sid },
      ...{ reason: "logout", by: someone.user, ip: "192.0.2.7", user_agent: "Pocket/1.0" },
    });
    expect(await core.ops.why.jti(someone.jti)).toMatchObject({
      verdict: "dead",
      rules: [{ rule: "jti" }, { rule: "sid" }],
    });
  });

  it("never takes a forged token for evidence", async () => {
    const someone = await signUp();
    await logout(someone);
    const forged = vary(someone.accessToken, "somebody else's secret of thirty-two bytes", {});
    for (const token of [forged, forge({ alg: "none" }, someone.token, SECRET), "rubbish", ""]) {
      expect(await why(token)).toEqual({
        verdict: "not_genuine",
        rules: [{ rule: "signature", message: expect.any(String) as string }],
        token: null,
      });
    }
  });

  it("names the claim that is wrong in a token that is genuine", async () => {
    const { accessToken } = await signUp();
    expect(await why(vary(accessToken, SECRET, { claims: { aud: "others" } }))).toMatchObject({
      ...{ verdict: "dead", rules: [{ rule: "aud" }], token: null },
    });
    const tooLong = vary(accessToken, SECRET, { claims: { exp: Math.floor(Date.now() / 1000) + 86_400 } });
    expect(await why(tooLong)).toMatchObject({ verdict: "dead", rules: [{ rule: "lifetime" }] });
  });

  it("says that a token has expired, and what else refuses it", async () => {
    const someone = await signUp();
    const now = Math.floor(Date.now() / 1000);
    const expired = vary(someone.accessToken, SECRET, { claims: { iat: now - 900, exp: now - 1 } });
    expect(await rulesOf(expired)).toEqual(["exp"]);
    await logout(someone);
    expect(await rulesOf(expired)).toEqual(["exp", "jti", "sid"]);
  });

  it("has nothing against a genuine token that is to be revoked and has expired", async () => {
    const { accessToken, jti } = await signUp();
    const now = Math.floor(Date.now() / 1000);
    const expired = vary(accessToken, SECRET, { claims: { iat: now - 900, exp: now - 1 } });
    expect(await core.ops.revoke({ token: expired }, ACTOR)).toEqual({ kind: "token", id: jti });
  });

  it("says that a token is from before the epoch", async () => {
    const { accessToken } = await signUp();
    expect(await rulesOf(vary(accessToken, SECRET, { claims: { epoch: "1-gone" } }))).toEqual(["epoch"]);
  });

  it("explains refresh tokens too", async () => {
    const someone = await signUp();
    expect(await why(someone.refreshToken)).toMatchObject({ verdict: "alive", token: { kind: "refresh" } });
    const claims = core.refreshTokens.verify(someone.refreshToken);
    const expired = core.refreshTokens.mint({ ...claims, exp: Math.floor(Date.now() / 1000) - 1 });
    expect(await why(expired)).toMatchObject({ verdict: "dead", rules: [{ rule: "exp" }] });
    await logout(someone);
    expect(await why(someone.refreshToken)).toMatchObject({ verdict: "dead", rules: [{ rule: "session" }] });
    expect(await rulesOf(expired)).toEqual(["exp", "session"]);
  });

  it("names the session's entry too for a foreign token's id, and never one of ours with the same id", async () => {
    const prefix = shards.prefixOf("clerk:ada");
    const entry = JSON.stringify({ sub: "clerk:ada", sid: "s/1", revoked_at: "2026-01-01T00:00:00.000Z" });
    await redis.admin.set(`${prefix}denylist:jti:clerk:j1`, entry, "EX", 100);
    await redis.admin.set(`${prefix}denylist:sid:s/1`, "somebody else's", "EX", 100);
    expect((await core.ops.why.jti("clerk:j1")).rules.map(({ rule }) => rule)).toEqual(["jti"]);
    const key = `${prefix}denylist:sid:clerk:${keyIdOf("s/1")}`;
    await redis.admin.set(key, entry, "EX", 100);
    expect((await core.ops.why.jti("clerk:j1")).rules).toMatchObject([{ rule: "jti" }, { entry: { key } }]);
  });

  it("doesn't know a jti that nothing denies", async () => {
    expect(await core.ops.why.jti(randomUUID())).toEqual({ verdict: "unknown", rules: [], token: null });
  });

  it("revokes one token, and not its session", async () => {
    const someone = await signUp();
    await core.ops.revoke({ token: someone.accessToken }, ACTOR);
    const { rules } = await why(someone.accessToken);
    expect(rules.map(({ rule }) => rule)).toEqual(["jti"]);
    expect(rules[0]?.entry).toMatchObject({ reason: "revoked_by_ops", by: ACTOR.by, note: ACTOR.note });
    expect(await core.ops.why.token(someone.refreshToken)).toMatchObject({ verdict: "alive" });
  });

  it("revokes a token by its id, a session, and a user", async () => {
    const [one, two, three] = [await signUp(), await signUp(), await signUp()];
    await core.ops.revoke({ jti: one.jti, exp: one.token.exp }, ACTOR);
    await core.ops.revoke({ session: two.sid }, ACTOR);
    await core.ops.revoke({ user: three.user }, ACTOR);
    expect(await rulesOf(one.accessToken)).toEqual(["jti"]);
    expect(await rulesOf(two.accessToken)).toEqual(["sid"]);
    expect(await rulesOf(three.accessToken)).toEqual(["sid"]);
    expect(await why(two.refreshToken)).toMatchObject({ verdict: "dead" });
  });

  it("refuses to revoke what isn't there, or was forged", async () => {
    await expect(core.ops.revoke({ session: randomUUID() }, ACTOR)).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(core.ops.revoke({ user: randomUUID() }, ACTOR)).rejects.toMatchObject({ code: "not_found" });
    await expect(core.ops.revoke({ token: "a.b.c" }, ACTOR)).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("lifts an entry, and says what still refuses the token", async () => {
    const someone = await signUp();
    await logout(someone);
    const first = await core.ops.lift("token", someone.jti, ACTOR);
    expect(first.lifted.id).toBe(someone.jti);
    expect(first.stillRefusedBy.map(({ rule }) => rule)).toEqual(["sid"]);
    const second = await core.ops.lift("session", someone.sid, ACTOR);
    expect(second.stillRefusedBy).toEqual([]);
    expect(await why(someone.accessToken)).toMatchObject({ verdict: "alive" });
    expect(await why(someone.refreshToken)).toMatchObject({ verdict: "dead" });
    await expect(core.ops.lift("token", someone.jti, ACTOR)).rejects.toMatchObject({ code: "not_found" });
  });

  it("revokes all that a user has who is logged in nowhere, which is nothing", async () => {
    const someone = await signUp();
    await logout(someone);
    expect(await core.ops.revoke({ user: someone.user }, ACTOR)).toEqual({ kind: "user", id: someone.user });
  });

  it("is lifted by one of two who do it at once, and only that one is told so", async () => {
    const someone = await signUp();
    await logout(someone);
    const lift = () => core.ops.lift("session", someone.sid, ACTOR);
    const done = await Promise.allSettled([lift(), lift()]);
    expect(done.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("tells what was lifted, also where the entry doesn't say what it denies", async () => {
    const prefix = shards.prefixOf("anybody");
    const id = randomUUID();
    for (const kind of ["jti", "sid", "sub"])
      await redis.admin.set(`${prefix}denylist:${kind}:${id}`, "why", "EX", 100);
    for (const kind of ["token", "session", "user"] as const) await core.ops.lift(kind, id, ACTOR);
    const { events } = await core.ops.events.before(core.ops.events.end, 100);
    const lifted = events.filter(({ event, prefix: at }) => event.event === "lifted" && at === prefix);
    expect(lifted.slice(0, 3).map(({ event: { kind, jti, sid, sub } }) => [kind, jti, sid, sub])).toEqual([
      ["user", null, null, id],
      ["session", null, id, null],
      ["token", id, null, null],
    ]);
  });

  it("says of a token from before the epoch that lifting its entry doesn't bring it back", async () => {
    const jti = randomUUID();
    const text = {
      jti,
      sub: randomUUID(),
      sid: randomUUID(),
      iat: 1,
      revoked_at: "2026-01-01T00:00:00.000Z",
    };
    await redis.admin.set(`${shards.prefixOf(text.sub)}denylist:jti:${jti}`, JSON.stringify(text), "EX", 100);
    const { stillRefusedBy } = await core.ops.lift("token", jti, ACTOR);
    expect(stillRefusedBy.map(({ rule }) => rule)).toEqual(["epoch"]);
  });

  it("counts how often an entry refused a token", async () => {
    const someone = await signUp();
    await logout(someone);
    await use(someone);
    const uses = { uses: 1, ip: "198.51.100.1", user_agent: "Thief/1" };
    await expectEventually(async () => (await why(someone.accessToken)).rules, [{ uses }, { uses }]);
    const prefix = shards.prefixOf(someone.user);
    const [entry, record] = [`${prefix}denylist:jti:${someone.jti}`, `${prefix}uses:jti:${someone.jti}`];
    expect(await redis.admin.pttl(record)).toBeGreaterThan(0);
    expect((await redis.admin.pttl(record)) - (await redis.admin.pttl(entry))).toBeLessThan(100);
    await core.ops.lift("token", someone.jti, ACTOR);
    expect(await redis.admin.exists(record)).toBe(0);
  });

  it("counts the uses that an entry without a TTL refused, and not for ever", async () => {
    const someone = await signUp();
    const prefix = shards.prefixOf(someone.user);
    await redis.admin.set(`${prefix}denylist:jti:${someone.jti}`, "by hand");
    await use(someone);
    await expectEventually(async () => (await why(someone.accessToken)).rules, [{ uses: { uses: 1 } }]);
    expect(await redis.admin.pttl(`${prefix}uses:jti:${someone.jti}`)).toBeGreaterThan(0);
  });

  it("tells of a use though somebody wrote by hand where an entry's are counted", async () => {
    const someone = await signUp();
    await logout(someone);
    const prefix = shards.prefixOf(someone.user);
    await redis.admin.set(`${prefix}uses:jti:${someone.jti}`, "by hand");
    await redis.admin.hset(`${prefix}uses:sid:${someone.sid}`, "uses", "many");
    await use(someone);
    const told = async () => (await core.ops.events.after(core.ops.events.beginning, 10_000)).events;
    await eventually(async () =>
      (await told()).some(({ event }) => event.event === "revoked_token_used" && event.jti === someone.jti),
    );
    const { rules } = await why(someone.accessToken);
    expect(rules.map(({ uses }) => uses?.uses)).toEqual([undefined, 1]);
    expect(await redis.admin.get(`${prefix}uses:jti:${someone.jti}`)).toBe("by hand");
  });

  it("lists entries with filters, page by page, and finds those that were written by hand", async () => {
    const someone = await signUp();
    await logout(someone);
    const prefix = shards.prefixOf("anybody");
    await redis.admin.set(`${prefix}denylist:jti:by-hand*`, "a note", "EX", 100);
    const seen = new Set<string>();
    let place: Awaited<ReturnType<typeof core.ops.listing.all>>["next"];
    do {
      const page = await core.ops.listing.all({}, 2, place);
      expect(page.items.length).toBeLessThanOrEqual(2);
      for (const { key } of page.items) seen.add(key);
      place = page.next;
    } while (place);
    const keys = (await redis.admin.keys("*denylist:[js]*")).sort();
    expect([...seen].sort()).toEqual(keys);
    const mine = await core.ops.listing.all({ user: someone.user }, 100);
    expect(mine.items.map(({ kind }) => kind).sort()).toEqual(["session", "token"]);
    const byHand = await core.ops.listing.all({ text: "by-hand*" }, 100);
    expect(byHand.items).toMatchObject([{ kind: "token", id: "by-hand*", value: "a note", sub: null }]);
    expect((await core.ops.listing.all({ text: "by-h*d" }, 100)).items).toEqual([]);
    await redis.admin.set(`${prefix}denylist:jti:in-json`, '{"sub":"somebody"}', "EX", 100);
    const inJson = await core.ops.listing.all({ text: "in-json" }, 100);
    expect(inJson.items).toMatchObject([{ value: '{"sub":"somebody"}', sub: null }]);
  });

  it("lists each entry once where a page ends in the middle of many, the newest first within a page", async () => {
    const keys = Array.from({ length: 120 }, (_, at) => `${shards.prefixOf("many")}denylist:jti:many-${at}`);
    for (const [at, key] of keys.entries())
      await redis.admin.set(key, JSON.stringify({ revoked_at: new Date(at).toISOString() }), "EX", 100);
    const listed: string[] = [];
    let place: Awaited<ReturnType<typeof core.ops.listing.all>>["next"];
    do {
      const { items, next } = await core.ops.listing.all({ text: "many-" }, 25, place);
      expect(items.length).toBeLessThanOrEqual(25);
      expect(items).toEqual(
        [...items].sort((one, other) => (String(one.revoked_at) < String(other.revoked_at) ? 1 : -1)),
      );
      listed.push(...items.map(({ key }) => key));
      place = next;
    } while (place);
    expect(listed.sort()).toEqual(keys.sort());
    await redis.admin.del(...keys);
  });

  it.each([99_999_999_999_999, 300_000_000_000])(
    "lists an entry that somebody wrote by hand for longer than dates go: %s s",
    async (seconds) => {
      const key = `${shards.prefixOf("anybody")}denylist:jti:for-ages`;
      await redis.admin.set(key, "why", "EX", seconds);
      const { items } = await core.ops.listing.all({ text: "for-ages" }, 10);
      expect(items).toMatchObject([{ key, expires_at: null }]);
      await redis.admin.del(key);
    },
  );

  it("lists the newest revocations first, each once", async () => {
    const people = [await signUp(), await signUp(), await signUp()];
    for (const someone of people) {
      await logout(someone);
      await nextMillisecond();
    }
    const { items } = await core.ops.listing.newest({}, 6);
    const newest = people.reverse().flatMap(({ sid, jti }) => [sid, jti]);
    expect(items.map(({ id }) => id)).toEqual(newest);
    const first = await core.ops.listing.newest({ kind: "token" }, 1);
    const second = await core.ops.listing.newest({ kind: "token" }, 1, first.next);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual([newest[1], newest[3]]);
  });

  it("lists a token once, as revoked when it was, although its session was later", async () => {
    const [someone, other] = [await signUp(), await signUp()];
    await core.ops.revoke({ token: someone.accessToken }, ACTOR);
    await nextMillisecond();
    await logout(other);
    await nextMillisecond();
    await logout(someone);
    const { items } = await core.ops.listing.newest({}, 4);
    expect(items.map(({ id }) => id)).toEqual([someone.sid, other.sid, other.jti, someone.jti]);
  });

  it("lists what was revoked of an issuer's, by whatever name", async () => {
    const targets = [
      { jti: "clerk:j/1" },
      { session: "clerk:s/2" },
      { user: "clerk:u/1" },
      { jti: "clerk:j2" },
    ];
    for (const target of targets) await core.ops.revoke(target, ACTOR);
    const { items } = await core.ops.listing.newest({}, 100);
    const ids = new Set(items.map(({ id }) => id).filter((id) => id.startsWith("clerk:")));
    expect([...ids].sort()).toEqual(
      ["j2", keyIdOf("j/1"), keyIdOf("s/2"), keyIdOf("u/1")].map((id) => `clerk:${id}`).sort(),
    );
  });

  it("lists an entry once of which two events of one millisecond tell", async () => {
    const [prefix, jti] = [shards.prefixOf("anybody"), randomUUID()];
    const timestamp = "2026-01-01T00:00:00.000Z";
    const text = JSON.stringify({ jti, revoked_at: timestamp });
    await redis.admin.set(`${prefix}denylist:jti:${jti}`, text, "EX", 100);
    const event = ["event", "logout", "timestamp", timestamp, "kind", "token", "jti", jti];
    for (let count = 0; count < 2; count += 1) await redis.admin.xadd(`${prefix}events`, "*", ...event);
    expect((await core.ops.listing.newest({ text: jti }, 10)).items).toHaveLength(1);
  });

  it("takes no word of a device for the name of what an event says next", async () => {
    const key = `${shards.prefixes[0] ?? ""}events`;
    const jti = randomUUID();
    await redis.admin.xadd(key, "*", "event", "logout", "jti", jti, "user_agent", "note", "epoch", "x");
    const { events } = await core.ops.events.before(core.ops.events.end, 100);
    expect(events.find(({ event }) => event.jti === jti)?.event.note).toBeNull();
  });

  it("tells every event once, forwards and backwards", async () => {
    const backwards = await core.ops.events.before(core.ops.events.end, 10_000);
    const forwards: string[] = [];
    for (let place: typeof backwards.next = core.ops.events.beginning; place;) {
      const batch: Awaited<ReturnType<typeof core.ops.events.after>> = await core.ops.events.after(place, 3);
      forwards.push(...batch.events.map(({ event }) => event.id));
      place = batch.next;
    }
    expect(backwards.events).toHaveLength(forwards.length);
    if (shards.prefixes.length === 1) expect(forwards).toHaveLength((await readEvents(redis)).length);
  });

  it("finds the place after which so many events are left", async () => {
    for (let count = 0; count < 3; count += 1) await logout(await signUp());
    const every = (await core.ops.events.after(core.ops.events.beginning, 10_000)).events;
    for (const count of [0, 1, 3, every.length + 1]) {
      const { events } = await core.ops.events.after(await core.ops.events.last(count), 10_000);
      const expected = count === 0 ? [] : every.slice(-count);
      const names = (placed: typeof every) =>
        placed.map(({ event }) => `${event.timestamp} ${event.jti}`).sort();
      expect(names(events)).toEqual(names(expected));
    }
  });

  it("says how Redis is, and since when the denylist remembers", async () => {
    const status = await core.ops.status();
    expect(status.epochs.map(({ prefix }) => prefix)).toEqual(shards.prefixes);
    expect(status.redis.nodes).toMatchObject([{ eviction_policy: "noeviction", replicas: 0 }]);
  });

  it("says how Redis is although an epoch is broken", async () => {
    const [prefix = ""] = shards.prefixes;
    const key = `${prefix}denylist:epoch`;
    const right = (await redis.admin.get(key)) ?? "";
    for (const epoch of ["nonsense", "99999999999999999-a"]) {
      await redis.admin.set(key, epoch);
      expect((await core.ops.status()).epochs[0]).toEqual({ prefix, epoch, since: null });
    }
    await redis.admin.set(key, right);
  });
});

/** Within a millisecond, two shards' events have no order. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  await eventually(() => Promise.resolve(Date.now() > now));
}

async function expectEventually(ask: () => Promise<unknown>, expected: unknown): Promise<void> {
  const deadline = Date.now() + 5000;
  for (;;) {
    try {
      expect(await ask()).toMatchObject(expected as object);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
