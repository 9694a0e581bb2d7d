import { startProxy, type Proxy } from "../helpers/proxy";
import { startRedis, type TestRedis } from "../helpers/redis";
import { startSwitch } from "../helpers/switch";
import { clockSteps } from "./clocks";
import { flipsOf } from "./flips";
import { reloadInPlace } from "./reloads";
import { backupIsRestored, backupIsRestoredLate } from "./restores";
import { type Fault, type Hands, type World } from "./world";

/** What Redis acknowledges is on its disk. */
export const KEEPS_ALL = ["--appendonly yes", "--appendfsync always"];

/**
 * One Redis that keeps what it acknowledges, under a name that can lead to another one. The first service is connected to it
 * by a wire that can break.
 */
export async function startSingle(services: number, { mayTrack = false } = {}): Promise<World> {
  const options = [...KEEPS_ALL, "--repl-diskless-sync-delay 0", "--enable-debug-command yes"];
  const redis = await startRedis(options, { hasOwnClock: true, mayTrack });
  const other = await startRedis(options, { mayTrack });
  const name = await startSwitch(redis.port);
  const wire = await startProxy(name.port);
  const urlBy = ({ port }: { port: number }) => redis.url.replace(String(redis.port), String(port));
  return {
    environments: Array.from({ length: services }, (_, at) => ({ REDIS_URL: urlBy(at === 0 ? wire : name) })),
    faults: [
      ...faultsOf(redis),
      ...faultsOn(wire),
      backupIsRestored(() => Promise.resolve(redis)),
      backupIsRestoredLate(redis),
      ...flipsOf(name, redis, other),
      reloadInPlace(redis),
      clockSteps(() => Promise.resolve(redis)),
    ],
    mayLose: false,
    async stop() {
      await wire.stop();
      await name.stop();
      await Promise.all([redis.stop(), other.stop()]);
    },
  };
}

function faultsOf(redis: TestRedis): Fault[] {
  const { admin } = redis;
  return [
    {
      name: "Redis hangs",
      async strike({ hold }) {
        process.kill(redis.pid, "SIGSTOP");
        await hold();
        process.kill(redis.pid, "SIGCONT");
      },
    },
    {
      name: "Redis is killed, and started again",
      async strike({ hold }) {
        await redis.kill();
        await hold();
        await redis.start();
      },
    },
    {
      name: "Redis pauses",
      async strike({ random }) {
        await admin.call("CLIENT", "PAUSE", random.whole(200, 800), "ALL");
        await admin.ping();
      },
    },
    {
      name: "Redis pauses writes",
      async strike({ hold }) {
        await admin.call("CLIENT", "PAUSE", 60_000, "WRITE");
        await hold();
        await admin.call("CLIENT", "UNPAUSE");
      },
    },
    {
      name: "Redis is full",
      async strike({ hold }) {
        await admin.config("SET", "maxmemory", 1);
        await hold();
        await admin.config("SET", "maxmemory", 0);
      },
    },
    {
      name: "Redis is emptied",
      strike: ({ recorder }) => recorder.strike({ kind: "flush" }, () => admin.flushall()),
    },
    connectionsEnd(() => Promise.resolve(redis)),
    scriptsAreForgotten([redis]),
  ];
}

export const connectionsEnd = (nodeFor: (hands: Hands) => Promise<TestRedis>): Fault => ({
  name: "Redis ends all connections",
  async strike(hands) {
    const { admin } = await nodeFor(hands);
    await admin.call("CLIENT", "KILL", "TYPE", "normal");
  },
});

export const scriptsAreForgotten = (nodes: TestRedis[]): Fault => ({
  name: "Redis forgets its scripts",
  strike: () => Promise.all(nodes.map(({ admin }) => admin.script("FLUSH"))),
});

function faultsOn(wire: Proxy): Fault[] {
  const broken = (name: string, breakIt: () => void): Fault => ({
    name: `a wire ${name}`,
    async strike({ hold }) {
      breakIt();
      await hold();
      wire.heal();
    },
  });
  return [
    broken("resets connections in their first reply", () => {
      wire.breakAfter("reply", 3, "reset");
    }),
    broken("brings requests and no replies", () => {
      wire.breakAfter("reply", 0, "silence");
    }),
    broken("brings nothing", () => {
      wire.breakAfter("request", 0, "silence");
    }),
    {
      name: "a wire is slow",
      async strike({ hold, random }) {
        wire.delay(() => random.whole(0, 250));
        await hold();
        wire.forget();
      },
    },
  ];
}
