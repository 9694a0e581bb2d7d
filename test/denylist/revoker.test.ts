import type { WriteContext } from "../../src/denylist/entry";
import { createRevoker } from "../../src/denylist/revoker";
import type { ScriptCall, Writer } from "../../src/denylist/writer";
import { CurfewError } from "../../src/errors";
import { createShards } from "../../src/redis/shards";

const shards = createShards("curfew:", 4);

/** Revokes a token whose subject isn't known, in four shards, one of which refuses. Gives the kinds that were told. */
async function revokeWhere(refusing: string | undefined) {
  const told: unknown[] = [];
  const revoke = async (_call: WriteContext, work: ScriptCall, prefix: string) => {
    await Promise.resolve();
    if (prefix === refusing) throw new CurfewError("denylist_unavailable");
    told.push(work.args(prefix)["kind"]);
    return "done";
  };
  const writer = { revoke } as Writer;
  const revoker = createRevoker(writer, shards, { issuer: "curfew", clockToleranceSeconds: 0 });
  await revoker.token({ jti: "j", exp: 2_000_000_000 }, { reason: "logout", by: "app" });
  return told;
}

it("a token of nobody in particular is revoked once every shard has it, and told of once", async () => {
  expect(await revokeWhere(undefined)).toEqual(["", "", "", "token"]);
});

it.each(shards.prefixes)("it isn't revoked where a shard refuses: %s", async (refusing) => {
  await expect(revokeWhere(refusing)).rejects.toMatchObject({ code: "denylist_unavailable" });
});
