import { createDenylist } from "../../src/denylist/denylist";
import { NOBODY, type Call } from "../../src/denylist/entry";
import type { Epochs } from "../../src/denylist/epochs";
import { createForeignSessions } from "../../src/denylist/foreign-sessions";
import { createRevoker } from "../../src/denylist/revoker";
import type { Work, Writer } from "../../src/denylist/writer";
import type { Redis } from "../../src/redis/redis";
import { createShards } from "../../src/shards";
import type { ForeignToken } from "../../src/tokens/foreign-tokens";

const shards = createShards("curfew:", 16);
const DIGEST = `sha256-${"0".repeat(64)}`;

const TOKEN: ForeignToken = {
  ...{ issuer: "auth0", iss: "https://auth0.example", sub: "auth0|5f7c", jti: "j", sid: undefined },
  keyIds: { sub: DIGEST, jti: "j", sid: undefined },
  ...{ iat: 1, exp: 2, sinceEpoch: true, maxLifetimeSeconds: 60, claims: {} },
};

/** Keeps what it is told to write. */
function keepWork() {
  const kept: { call: Call; work: Work; prefix: string }[] = [];
  const writer: Pick<Writer, "revoke"> = {
    revoke(call, work, prefix = shards.prefixOf(call.sub)) {
      kept.push({ call, work, prefix });
      return Promise.resolve("done");
    },
  };
  return { writer: writer as Writer, kept };
}

it("the shard is that of the subject as its issuer writes it, for writing and for looking", async () => {
  const { writer, kept } = keepWork();
  await createForeignSessions(writer, 0).logout(TOKEN, true, NOBODY);
  const { issuer, iss, sub } = TOKEN;
  const named = { issuer, iss, sub, keyId: DIGEST, maxLifetimeSeconds: 60 };
  const revoker = createRevoker(writer, shards, { issuer: "curfew", clockToleranceSeconds: 0 });
  await revoker.subject(named, { reason: "logout", by: "app" });

  const asked: string[] = [];
  const epochs = { ask: (prefix: string) => Promise.resolve([null, 0, 0, void asked.push(prefix)]) };
  const denylist = createDenylist({} as Redis, shards, { ...epochs, read: () => "1-a" } as unknown as Epochs);
  await denylist.assertNotRevoked(TOKEN);

  const prefix = shards.prefixOf("auth0:auth0|5f7c");
  expect(prefix).not.toBe(shards.prefixOf(`auth0:${DIGEST}`));
  expect([...kept.map((each) => each.prefix), ...asked]).toEqual([prefix, prefix, prefix]);
  for (const { work } of kept) expect(work.keys("p:")).toContain(`p:denylist:sub:auth0:${DIGEST}`);
});
