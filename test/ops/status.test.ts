import type { Events } from "../../src/ops/events";
import { readStatus } from "../../src/ops/status";
import type { Redis } from "../../src/redis/redis";
import { createOneShard } from "../../src/redis/shards";

const redis = {
  ask: () => Promise.resolve([]),
  infos: () => [
    { version: "7.0.15", replicas: 2, evictionPolicy: "noeviction", appendOnlyFile: "on" },
    { version: undefined, replicas: 0, evictionPolicy: undefined, appendOnlyFile: undefined },
  ],
  warnings: () => [{ code: "x", message: "y" }],
} as unknown as Redis;

it("tells of each node what Redis said of it, and null where it said nothing", async () => {
  const events = { count: () => Promise.resolve(7) } as unknown as Events;
  const status = await readStatus({ redis, shards: createOneShard("curfew:"), mirror: undefined }, events);
  expect(status.redis).toEqual({
    nodes: [
      { version: "7.0.15", replicas: 2, eviction_policy: "noeviction", append_only_file: "on" },
      { version: null, replicas: 0, eviction_policy: null, append_only_file: null },
    ],
    warnings: [{ code: "x", message: "y" }],
  });
  expect(status.events).toBe(7);
});
