import { startDoor, type Door } from "./door";
import { startRedis, type TestRedis } from "./redis";
import { startSentinel, type TestSentinels } from "./sentinel";

/** Sentinels and their nodes in a network that can break in two: the primary and whoever is near it, and all others. */
export type Partitionable = TestSentinels & {
  /** As somebody connects who stays with the primary. */
  nearUrl: string;
  /** From now on nothing passes between the two sides, and nobody is told. Resolves with the primary that is cut off. */
  cut(): Promise<TestRedis>;
  /** What was sent meanwhile arrives. */
  heal(): void;
};

/**
 * Whoever is far, nodes and sentinels too, reaches each node by one door; whoever is near has doors of their own to every
 * node and sentinel, and hears of no others.
 */
export async function startPartitionable(options: string[] = []): Promise<Partitionable> {
  const nearPorts = new Map<string, string>();
  /** All ports here have five digits, so that a reply stays as long as it says. */
  const tellNear = (reply: Buffer) => {
    const told = reply.toString("latin1").replace(/\b\d{5}\b/g, (port) => nearPorts.get(port) ?? port);
    return Buffer.from(told, "latin1");
  };
  const [farDoors, nearDoors] = [new Map<TestRedis, Door>(), new Map<TestRedis, Door>()];

  async function startNode(own: string[]) {
    const [far, near] = await Promise.all([startDoor(), startDoor()]);
    const announced = ["--replica-announce-ip 127.0.0.1", `--replica-announce-port ${far.port}`];
    const node = await startRedis([...own, ...announced]);
    for (const door of [far, near]) door.leadTo(node.port);
    nearPorts.set(String(far.port), String(near.port));
    farDoors.set(node, far);
    nearDoors.set(node, near);
    return { node, port: far.port };
  }

  const redis = await startSentinel({ options, startNode });
  const sentinelPorts = [...redis.url.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port = ""]) => port);
  const sentinelDoors = await Promise.all(
    sentinelPorts.map(async (port) => {
      const door = await startDoor(tellNear);
      door.leadTo(Number(port));
      nearPorts.set(port, String(door.port));
      return door;
    }),
  );
  const all = () => [...farDoors.values(), ...nearDoors.values(), ...sentinelDoors];

  return {
    ...redis,
    nearUrl: redis.url.replace(
      /127\.0\.0\.1:(\d+)/g,
      (_, port: string) => `127.0.0.1:${nearPorts.get(port) ?? port}`,
    ),
    async cut() {
      const primary = await redis.primary();
      farDoors.get(primary)?.shut();
      for (const [node, door] of nearDoors) if (node !== primary) door.shut();
      for (const door of sentinelDoors) door.shut();
      return primary;
    },
    heal() {
      for (const door of all()) door.open();
    },
    async stop() {
      await redis.stop();
      await Promise.all(all().map((door) => door.stop()));
    },
  };
}
