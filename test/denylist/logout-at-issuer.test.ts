import { createLogoutAtIssuer } from "../../src/denylist/logout-at-issuer";
import type { ScriptCall, Writer } from "../../src/denylist/writer";
import { CurfewError } from "../../src/errors";
import type { LogoutToken } from "../../src/issuers/logout-tokens";
import type { TrustedIssuer } from "../../src/issuers/trusted-issuer";
import type { Redis } from "../../src/redis/redis";
import { createShards } from "../../src/redis/shards";
import { NOBODY } from "../../src/denylist/entry";

const shards = createShards("curfew:", 4);
const idp = (subject = "sub") =>
  ({
    name: "idp",
    issuer: "https://idp.example.com",
    claims: { subject, session: "sid", tokenId: "jti" },
    clockLeadSeconds: 5,
    maxLifetimeSeconds: 3600,
  }) as TrustedIssuer;
const named = (id: string) => ({ id, keyId: id });

/** Ends it in four shards, one of which may refuse; returns the kinds told in each, and the keys that were marked. */
async function end(token: Partial<LogoutToken>, refusing?: string) {
  const [told, marked]: [unknown[], unknown[]] = [[], []];
  const revoke = async (_context: unknown, work: ScriptCall, prefix: string) => {
    await Promise.resolve();
    if (prefix === refusing) throw new CurfewError("denylist_unavailable");
    told.push([prefix, work.keys(prefix)[0]?.slice(prefix.length), work.args(prefix)["kind"]]);
    return "done";
  };
  const client = { set: (...args: unknown[]) => Promise.resolve(marked.push(args[0])) };
  const ask = (command: (to: typeof client) => Promise<unknown>) => command(client);
  const logout = createLogoutAtIssuer({
    writer: { revoke } as unknown as Writer,
    redis: { ask } as unknown as Redis,
    ...{ shards, clockToleranceSeconds: 0 },
  });
  const whole = { issuer: idp(), keyId: "l", goodUntil: 2_000_000_000, sub: undefined, sid: undefined };
  const outcome = await logout.end({ ...whole, ...token }, NOBODY).catch((error: unknown) => error);
  return { outcome, told, marked };
}

const [first = "", ...others] = shards.prefixes;
const home = shards.prefixOf("idp:u");

it("a lone session is denied in every shard, told of once, and last where its token is remembered", async () => {
  const { outcome, told, marked } = await end({ sid: named("s") });
  expect(outcome).toBe(true);
  expect(told).toEqual([
    ...others.map((prefix) => [prefix, "denylist:sid:idp:s", ""]),
    [first, "denylist:sid:idp:s", "session"],
  ]);
  expect(marked).toEqual([`${first}logout-token:idp:l`]);
});

it("a session with its subject is denied in the subject's shard, and so is a subject", async () => {
  const both = await end({ sid: named("s"), sub: named("u") });
  expect(both.told).toEqual([[home, "denylist:sid:idp:s", "session"]]);
  const subject = await end({ sub: named("u") });
  expect(subject.told).toEqual([[home, "denylist:sub:idp:u", "user"]]);
  expect(subject.marked).toEqual([`${home}logout-token:idp:l`]);
});

it("a session is denied in every shard where access tokens have another subject", async () => {
  const { told } = await end({ issuer: idp("uid"), sid: named("s"), sub: named("u") });
  expect(told).toHaveLength(4);
});

it.each(shards.prefixes)("isn't done where a shard refuses, and can be repeated: %s", async (refusing) => {
  const { outcome, marked } = await end({ sid: named("s") }, refusing);
  expect(outcome).toMatchObject({ code: "denylist_unavailable" });
  expect(marked).toEqual([]);
});
