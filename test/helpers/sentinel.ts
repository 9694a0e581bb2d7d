import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis as Client } from "ioredis";
import { connectedUntilTestsEnd, untilTestsEnd } from "./processes";
import { freePort, onlineReplicas, startRedis, untilAgreed, type TestRedis } from "./redis";

/** A primary, its replicas, and the sentinels that make one of them the next primary. */
export type TestSentinels = {
  /** As a service connects: to the sentinels, with Redis's user and password. They themselves want none. */
  url: string;
  /** Under which the sentinels know the primary. */
  name: string;
  /** The first was the primary in the beginning. One that is started again comes back as a primary, until it is told. */
  nodes: TestRedis[];
  /** The node that most sentinels call the primary. */
  primary: () => Promise<TestRedis>;
  /** Resolves when all sentinels see the same primary, and every other node follows it. */
  untilSettled: () => Promise<void>;
  /** Has the sentinels make another node the primary, though nothing is wrong with this one. */
  failOver(): Promise<void>;
  stop: () => Promise<void>;
};

/** A node, and the port at which others reach it. */
type Member = { node: TestRedis; port: number };

type Options = {
  replicas?: number;
  sentinels?: number;
  options?: string[];
  haveOwnClocks?: boolean;
  mayTrack?: boolean;
  startNode?: (options: string[]) => Promise<Member>;
};
type Sentinel = { port: number; client: Client; stop(): Promise<void> };

const NAME = "curfew-primary";

export async function startSentinel({
  replicas = 2,
  sentinels: count = 3,
  options = [],
  haveOwnClocks: hasOwnClock = false,
  mayTrack = false,
  startNode = async (own) => {
    const node = await startRedis(own, { hasOwnClock, mayTrack });
    return { node, port: node.port };
  },
}: Options = {}): Promise<TestSentinels> {
  const start = () => startNode(["--repl-diskless-sync-delay 0", ...options]);
  const [first, ...others] = await Promise.all([start(), ...Array.from({ length: replicas }, start)]);
  await Promise.all(others.map(({ node }) => node.admin.call("REPLICAOF", "127.0.0.1", first.port)));
  const sentinels = await Promise.all(Array.from({ length: count }, () => startOne(first)));
  const members = [first, ...others];
  const nodes = members.map(({ node }) => node);

  const ask = (...command: [string, ...string[]]) => sentinels.map(({ client }) => client.call(...command));

  function nodeAt(port: string | undefined): TestRedis {
    const member = members.find((each) => String(each.port) === port);
    if (!member) throw new Error(`the sentinels name a stranger: ${String(port)}`);
    return member.node;
  }

  async function isSettled(): Promise<boolean> {
    const views = (await Promise.all(ask("SENTINEL", "MASTER", NAME))).map(readView);
    const seen = { flags: "master", "num-slaves": replicas, "num-other-sentinels": count - 1 };
    const [port] = views.map((view) => view["port"]);
    const isSeenAlike = views.every((view) =>
      Object.entries({ ...seen, port }).every(([field, value]) => view[field] === String(value)),
    );
    return isSeenAlike && (await onlineReplicas(nodeAt(port))) === replicas;
  }

  const untilSettled = () => untilAgreed(isSettled);
  await untilSettled();
  return {
    url: first.node.url.replace(/[^@]+$/, sentinels.map(({ port }) => `127.0.0.1:${port}`).join()),
    name: NAME,
    nodes,
    async primary() {
      const addresses = await Promise.all(ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME));
      const ports = (addresses as [ip: string, port: string][]).map(([, port]) => port);
      const votes = (port: string) => ports.filter((each) => each === port).length;
      return nodeAt(ports.sort((one, other) => votes(other) - votes(one))[0]);
    },
    untilSettled,
    async failOver() {
      await sentinels[0]?.client.call("SENTINEL", "FAILOVER", NAME);
    },
    async stop() {
      await Promise.all([...sentinels, ...nodes].map((each) => each.stop()));
    },
  };
}

async function startOne(primary: Member): Promise<Sentinel> {
  const dir = mkdtempSync(join(tmpdir(), "curfew-sentinel-"));
  const port = await freePort();
  const file = join(dir, "sentinel.conf");
  // It keeps there what it knows. A sentinel connects anew once a second at most: sooner, it would take a new primary for dead.
  writeFileSync(
    file,
    `port ${port}
bind 127.0.0.1
dir ${dir}
sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 2
sentinel auth-user ${NAME} admin
sentinel auth-pass ${NAME} ${new URL(primary.node.url).password}
sentinel down-after-milliseconds ${NAME} 1500
sentinel failover-timeout ${NAME} 3000
sentinel parallel-syncs ${NAME} 8
`,
  );
  const child = untilTestsEnd(spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" }));
  const exited = once(child, "exit");
  const client = connectedUntilTestsEnd(
    new Client(port, { retryStrategy: () => 20, maxRetriesPerRequest: null }),
  );
  // Until it listens.
  client.on("error", () => undefined);
  await client.ping();
  return {
    port,
    client,
    async stop() {
      client.disconnect();
      child.kill("SIGKILL");
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Redis answers names and values in turn. */
function readView(reply: unknown): Record<string, string> {
  const flat = reply as string[];
  return Object.fromEntries(
    flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ""] as const] : [])),
  );
}
