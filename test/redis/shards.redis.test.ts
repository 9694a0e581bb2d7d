import { randomUUID } from "node:crypto";
import { createShards } from "../../src/redis/shards";
import { freePort, startRedis } from "../helpers/redis";
import { use } from "../helpers/use";

const redis = use(async () => startRedis(["--cluster-enabled yes", `--cluster-port ${await freePort()}`]));

const slotOf = async (key: string) => Number(await redis.admin.call("CLUSTER", "KEYSLOT", key));

it("whoever knows a subject's slot knows its shard, where their number divides that of the slots", async () => {
  const subjects = [
    "123456789",
    "ada@example.com",
    "clerk:пользователь",
    "🦊",
    ...Array.from({ length: 50 }, () => randomUUID()),
  ];
  for (const count of [1, 16, 64]) {
    const shards = createShards("curfew:", count);
    for (const subject of subjects)
      expect(shards.prefixOf(subject)).toBe(shards.prefixes[(await slotOf(subject)) % count]);
  }
});

it("all keys of a shard are in one slot, whatever is in them", async () => {
  for (const prefix of createShards("curfew:", 100).prefixes) {
    const keys = ["denylist:epoch", `denylist:jti:${randomUUID()}`, "user-email:{a}@example.com", "events"];
    const slots = await Promise.all(keys.map((key) => slotOf(prefix + key)));
    expect(new Set(slots).size).toBe(1);
  }
});
