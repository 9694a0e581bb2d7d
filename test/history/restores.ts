import { backUp, empty } from "../helpers/backup";
import type { TestRedis } from "../helpers/redis";
import { AFTER_RECONNECT_MS, type Fault, type Hands } from "./world";

/** `beginEpoch`: as whoever restores one ought to. Where few revoke, a lost login may be all that is missing. */
export const backupIsRestored = (
  nodeFor: (hands: Hands) => Promise<TestRedis>,
  allowanceMs = AFTER_RECONNECT_MS.node,
  beginEpoch: (node: TestRedis) => Promise<void> = () => Promise.resolve(),
): Fault => ({
  name: "a backup is restored",
  async strike(hands) {
    const node = await nodeFor(hands);
    const backup = await backUp(node);
    await hands.hold();
    await hands.recorder.strike({ kind: "loss", allowanceMs }, async () => {
      await node.kill();
      backup.restore();
      await node.start();
      await beginEpoch(node);
    });
    await hands.hold();
  },
});

/** What everybody has seen end comes back, and nobody may believe it, not even for a moment. */
export const backupIsRestoredLate = (redis: TestRedis): Fault => ({
  name: "Redis comes back empty, and then a backup is restored",
  async strike({ recorder, hold, untilReady }) {
    const backup = await backUp(redis);
    await hold();
    await recorder.strike({ kind: "flush" }, async () => {
      await redis.kill();
      empty(redis);
      await redis.start();
    });
    await untilReady();
    await hold();
    await recorder.strike({ kind: "loss" }, async () => {
      await redis.kill();
      backup.restore();
      await redis.start();
    });
    await hold();
  },
});
