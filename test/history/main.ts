import "../faults/outside-jest";
import { randomInt } from "node:crypto";
import { startClusterWorld, startSentinelWorld } from "./failing-over";
import { startPartitions, startToleratedPartitions } from "./partitions";
import { reportOf } from "./report";
import { run } from "./run";
import { startSingle } from "./single";
import type { World } from "./world";

/** With what a mirror adds to the bounds that are promised. */
const STALENESS_MS = 1000;
const mirrored = (startWorld: (services: number) => Promise<World>) => async (services: number) => {
  const world = await startWorld(services);
  const more = { DENYLIST_MODE: "mirror", MIRROR_MAX_STALENESS_MS: String(STALENESS_MS) };
  const environments = world.environments.map((environment) => ({ ...environment, ...more }));
  return { ...world, environments, stalenessMs: STALENESS_MS };
};

/** `scripts/check-history`: as long as is asked for, and with any Redis that a service can have. */
const WORLDS = {
  single: startSingle,
  "single-mirror": mirrored((services) => startSingle(services, { mayTrack: true })),
  sentinel: (services: number) => startSentinelWorld(services),
  "sentinel-mirror": mirrored((services) => startSentinelWorld(services, { mayTrack: true })),
  cluster: startClusterWorld,
  partition: startToleratedPartitions,
  "partition-untolerated": startPartitions,
};

const isMode = (mode: string): mode is keyof typeof WORLDS => mode in WORLDS;

async function main([seconds = "300", mode = "single", seed = String(randomInt(2 ** 31))]: string[]) {
  if (!isMode(mode) || !/^\d+$/.test(seconds) || !/^\d+$/.test(seed)) {
    throw new TypeError(`[SECONDS] [${Object.keys(WORLDS).join("|")}] [SEED] expected, such as 300 single`);
  }
  process.stdout.write(`${seconds} seconds, ${mode}, seed ${seed}\n`);
  const result = await run({ startWorld: WORLDS[mode], seconds: Number(seconds), seed: Number(seed) });
  process.stdout.write(`${reportOf(result)}\n`);
  process.exit(result.findings.length > 0 ? 1 : 0);
}

process.once("SIGINT", () => process.exit(130));
main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(2);
});
