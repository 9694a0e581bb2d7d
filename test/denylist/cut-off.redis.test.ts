import { setTimeout as sleep } from "node:timers/promises";
import { call, eventually, expectRefusal } from "../helpers/client";
import { useCurfew } from "../helpers/curfew";
import { startProvider, writeIssuers } from "../helpers/provider";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

/** A cut-off and an entry that somebody wrote by hand, for one subject: neither takes anything from the other. */
const redis = useRedis();
const clerk = use(() => startProvider("clerk", { since_epoch: false, clock_lead: "1s", max_lifetime: "1h" }));
const service = useService(() => ({ REDIS_URL: redis.url, TRUSTED_ISSUERS_FILE: writeIssuers(clerk) }));
const curfew = useCurfew(() => ({ redis: redis.url, issuers: [clerk.entry as never] }));

const verify = (token: string) => call(service.url, "GET", "/api/auth/verify", { token });
const logout = (token: string) =>
  call(service.url, "DELETE", "/v1/auth/session", { token, body: { all_devices: true } });
const keyOf = (sub: string) => `curfew:denylist:sub:clerk:${sub}`;
const cutoffOf = async (sub: string) =>
  (JSON.parse((await redis.admin.get(keyOf(sub))) ?? "") as Record<string, unknown>)["cutoff"];

const FULL_MS = 3_601_000;
const WAYS: [string, (sub: string, token: string) => Promise<void>][] = [
  ["revokeUser", (sub) => curfew.revokeUser({ issuer: "clerk", sub })],
  [
    "all_devices",
    async (_sub, token) => {
      expect((await logout(token)).status).toBe(200);
    },
  ],
];

describe.each(WAYS)("%s", (way, cutOff) => {
  const subject = (name: string) => `${way}-${name}`;

  it("outlasts a hand-written entry that ends sooner, which goes on denying everything until then", async () => {
    const sub = subject("short");
    const [asking, other] = [clerk.mint({ sub }), clerk.mint({ sub })];
    await redis.admin.set(keyOf(sub), "why", "PX", 2000);
    const endsAt = Date.now() + 2000;
    await cutOff(sub, asking);
    // Whatever could be issued until it ends, with a clock that is ahead.
    expect(await cutoffOf(sub)).toBeGreaterThanOrEqual(Math.floor(endsAt / 1000) + 1);
    expectRefusal(await verify(clerk.mint({ sub })), 401, "token_revoked");
    await sleep(endsAt - Date.now());
    expectRefusal(await verify(other), 401, "token_revoked");
    expect(await redis.admin.pttl(keyOf(sub))).toBeGreaterThan(FULL_MS - 1000);
    // But not for good.
    await eventually(async () => (await verify(clerk.mint({ sub }))).status === 204);
    expectRefusal(await verify(other), 401, "token_revoked");
  });

  it.each([
    ["ends later", 2 * FULL_MS],
    ["never ends", -1],
  ])("leaves a hand-written entry that %s as it is, and is a success", async (title, ms) => {
    const sub = subject(title);
    await redis.admin.set(keyOf(sub), "why");
    if (ms > 0) await redis.admin.pexpire(keyOf(sub), ms);
    const token = clerk.mint({ sub });
    // Once more, too: nothing is certain after a 503.
    for (let count = 0; count < 2; count += 1) await cutOff(sub, token);
    expect(await redis.admin.get(keyOf(sub))).toBe("why");
    const left = await redis.admin.pttl(keyOf(sub));
    if (ms > 0) expect(left).toBeGreaterThan(ms - 10_000);
    else expect(left).toBe(-1);
  });

  it.each([
    ["longer", 2 * FULL_MS],
    ["endless", -1],
  ])("moves an earlier cutoff on, and leaves its %s life as it is", async (title, ms) => {
    const sub = subject(title);
    const past = Math.floor(Date.now() / 1000) - 100;
    await redis.admin.set(keyOf(sub), JSON.stringify({ cutoff: past }));
    if (ms > 0) await redis.admin.pexpire(keyOf(sub), ms);
    await cutOff(sub, clerk.mint({ sub }));
    expect(await cutoffOf(sub)).toBeGreaterThan(past);
    const left = await redis.admin.pttl(keyOf(sub));
    if (ms > 0) expect(left).toBeGreaterThan(ms - 10_000);
    else expect(left).toBe(-1);
  });
});

it("a later cutoff stays as it is, and lives for as long as the earlier one would have", async () => {
  const later = JSON.stringify({ cutoff: Math.floor(Date.now() / 1000) + 5000 });
  await redis.admin.set(keyOf("later"), later, "EX", 60);
  await curfew.revokeUser({ issuer: "clerk", sub: "later" });
  expect(await redis.admin.get(keyOf("later"))).toBe(later);
  expect(await redis.admin.pttl(keyOf("later"))).toBeGreaterThan(FULL_MS - 10_000);
});

it("a token that is dead by itself can't ask for all devices behind a hand-written entry that will end", async () => {
  const dead = clerk.mint({ sub: "dead", jti: "dead-by-hand" });
  await redis.admin.set("curfew:denylist:jti:clerk:dead-by-hand", "why", "EX", 60);
  await redis.admin.set(keyOf("dead"), "why", "EX", 60);
  expectRefusal(await logout(dead), 401, "token_revoked");
  expect(await redis.admin.get(keyOf("dead"))).toBe("why");
});

it("an instance whose clock is behind cuts off what others have accepted meanwhile, though not by a clock that can't be right", async () => {
  const { now } = Date;
  const cutOffAt = async (sub: string, behindSeconds: number) => {
    const token = clerk.mint({ sub });
    expect((await verify(token)).status).toBe(204);
    jest.spyOn(Date, "now").mockImplementation(() => now() - behindSeconds * 1000);
    await curfew.revokeUser({ issuer: "clerk", sub }).finally(() => jest.restoreAllMocks());
    return token;
  };
  expectRefusal(await verify(await cutOffAt("behind", 20)), 401, "token_revoked");
  await cutOffAt("far-behind", 3600);
  expect(await cutoffOf("far-behind")).toBeLessThan(now() / 1000 - 3500);
});
