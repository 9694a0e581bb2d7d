import { untilAgreed, type TestRedis } from "../helpers/redis";
import type { Switch } from "../helpers/switch";
import { AFTER_SIGN_MS, type Fault } from "./world";

/** What can happen where a name leads to one Redis, and can lead to another. */
export const flipsOf = (name: Switch, redis: TestRedis, other: TestRedis): Fault[] => [
  {
    name: "a name leads to an empty Redis, and back",
    async strike({ recorder, hold, untilReady }) {
      await recorder.strike({ kind: "flush" }, async () => {
        await other.admin.flushall();
        name.leadTo(other.port);
      });
      // Once they have seen that it is another one, they have to know the first one for what it is, at once.
      await untilReady();
      await hold();
      await recorder.strike({ kind: "loss" }, () => {
        name.leadTo(redis.port);
      });
      await hold();
    },
  },
  {
    name: "a proxy fails over to a Redis that lacks the latest, and tells nobody",
    async strike({ recorder, hold, untilReady }) {
      await follow(other, redis);
      await other.admin.call("REPLICAOF", "NO", "ONE");
      await hold();
      await recorder.strike({ kind: "loss", allowanceMs: AFTER_SIGN_MS }, () => name.failOverTo(other.port));
      await hold();
      await untilReady();
      await handBack(name, other, redis);
      await hold();
    },
  },
];

/** As a proxy should: nothing is lost, and connections end. */
async function handBack(name: Switch, from: TestRedis, to: TestRedis): Promise<void> {
  await follow(to, from);
  await from.admin.call("CLIENT", "PAUSE", 60_000, "WRITE");
  const written = await offsetOf(from, "master_repl_offset");
  await untilAgreed(async () => (await offsetOf(to, "slave_repl_offset")) >= written);
  await to.admin.call("REPLICAOF", "NO", "ONE");
  name.leadTo(to.port);
  await from.admin.call("CLIENT", "UNPAUSE");
}

async function follow(replica: TestRedis, primary: TestRedis): Promise<void> {
  await replica.admin.call("REPLICAOF", "127.0.0.1", primary.port);
  await untilAgreed(async () => (await replica.admin.info("replication")).includes("master_link_status:up"));
}

async function offsetOf({ admin }: TestRedis, field: string): Promise<number> {
  return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await admin.info("replication"))?.[1]);
}
