import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis as Client } from "ioredis";
import { parse } from "yaml";
import { createClock } from "./clock";
import { connectedUntilTestsEnd, untilTestsEnd } from "./processes";
import { use } from "./use";

const PASSWORD = "only-for-tests";

export type TestRedis = {
  /** As a service connects: the user that docker-compose.yml describes, which may do no more than that. */
  url: string;
  port: number;
  readonly pid: number;
  /** Where it keeps what is on disk. */
  dir: string;
  /** Sets its clock, if it has one of its own, so much ahead of everybody else's. */
  setClock(aheadSeconds: number): void;
  /** May do everything, for looking and for breaking things. */
  admin: Client;
  isRunning(): boolean;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again after that, on its port, with what is on its disk. More options count for this time only. */
  start(more?: string[]): Promise<void>;
  stop(): Promise<void>;
};

/** The ACL rules of the compose file, so that a command they lack fails a test. */
export function readAclRules(): string {
  const compose = parse(readFileSync("docker-compose.yml", "utf8")) as {
    services: { redis: { command: string[] } };
  };
  const user = compose.services.redis.command.find((line) => line.startsWith("--user curfew "));
  const rules = /^--user curfew on >\S+ \S+ (?<rules>.+)$/.exec(
    user?.replace(/\$\{[^}]*\}/, "password") ?? "",
  );
  return rules?.groups?.["rules"] ?? "";
}

/** What docs/mirror.md adds to them. */
export function readTrackingRules(): string {
  const rules = /^\s+ACL SETUSER curfew (.+)$/m.exec(readFileSync("docs/mirror.md", "utf8"));
  return rules?.[1] ?? "";
}

/** `mayTrack`: the user may do what a mirror needs. */
type RedisOptions = { hasOwnClock?: boolean; mayTrack?: boolean };

export async function startRedis(
  options: string[] = [],
  { hasOwnClock = false, mayTrack = false }: RedisOptions = {},
): Promise<TestRedis> {
  const dir = mkdtempSync(join(tmpdir(), "curfew-redis-"));
  const clock = hasOwnClock ? createClock(dir) : undefined;
  const port = await freePort();
  const launch = (more: string[]) => {
    const child = untilTestsEnd(
      spawn(
        "redis-server",
        [
          `--port ${port}`,
          "--bind 127.0.0.1",
          `--dir ${dir}`,
          "--save ''",
          // As in the compose file, which says why.
          "--user default off ~* &* +@all",
          `--user admin on >${PASSWORD} ~* &* +@all`,
          `--user curfew on >${PASSWORD} resetchannels ${readAclRules()} ${mayTrack ? readTrackingRules() : ""}`,
          // Where it is somebody's replica.
          "--masteruser admin",
          `--masterauth ${PASSWORD}`,
          ...options,
          ...more,
        ],
        { stdio: "ignore", env: { ...process.env, ...clock?.environment } },
      ),
    );
    return { child, exited: once(child, "exit") };
  };
  let server = launch([]);
  const kill = async () => {
    server.child.kill("SIGKILL");
    await server.exited;
  };
  const admin = connectedUntilTestsEnd(
    new Client(`redis://admin:${PASSWORD}@127.0.0.1:${port}`, {
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
    }),
  );
  // Until it listens, and whenever a test stops it.
  admin.on("error", () => undefined);
  await admin.ping();
  return {
    url: `redis://curfew:${PASSWORD}@127.0.0.1:${port}`,
    port,
    get pid() {
      return server.child.pid ?? 0;
    },
    dir,
    setClock(aheadSeconds) {
      if (!clock) throw new TypeError("it has no clock of its own: start it with hasOwnClock");
      clock.set(aheadSeconds);
    },
    admin,
    isRunning: () => server.child.exitCode === null && server.child.signalCode === null,
    kill,
    async start(more = []) {
      server = launch(more);
      // A replica may begin to load again what its primary sends, and refuses meanwhile.
      await untilAgreed(async () => Boolean(await admin.ping()));
    },
    async stop() {
      admin.disconnect();
      await kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A Redis for all tests of a file or a describe. */
export const useRedis = (options: string[] = [], more: RedisOptions = {}): TestRedis =>
  use(() => startRedis(options, more));

/** Below those that the system gives to connections, one of which could take it before its server does. */
const PORTS = { first: 15_000, count: 17_000 };

export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + randomInt(PORTS.count);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => {
        resolve(false);
      });
      server.listen(port, "127.0.0.1", () => {
        resolve(true);
      });
    });
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** How many replicas a node has that receive what it writes; none if it is a replica itself. */
export async function onlineReplicas({ admin }: TestRedis): Promise<number> {
  const info = await admin.info("replication");
  return info.match(/^slave\d+:.*state=online/gm)?.length ?? 0;
}

/** Sentinels that see the clock stand still, as on a busy machine, do nothing for half a minute. */
const AGREEMENT_MS = 120_000;

/** Waits until several servers agree on something, which takes them seconds. One that can't be asked doesn't agree yet. */
export async function untilAgreed(agree: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + AGREEMENT_MS;
  while (!(await agree().catch(() => false))) {
    if (Date.now() > deadline) throw new Error("they did not agree within two minutes");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
