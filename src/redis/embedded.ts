import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeOnce } from "../keys/write-once";

/** A private redis-server of this process: on a Unix socket, with every write on disk before it is acknowledged. */
export type EmbeddedRedis = { socketPath: string; stop: () => Promise<void> };

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
const RESTART_MS = 500;
const OPTIONS = [
  ["--port", "0"],
  ["--unixsocket", "redis.sock"],
  ["--unixsocketperm", "700"],
  ["--pidfile", "redis.pid"],
  ["--logfile", "redis.log"],
  ["--save", ""],
  ["--appendonly", "yes"],
  ["--appendfsync", "always"],
  ["--maxmemory-policy", "noeviction"],
].flat();

/** Relative, because a Unix socket's path may have only about 100 characters. */
export const socketIn = (dir: string) => relative(process.cwd(), join(dir, "redis.sock"));

/** Resolves to undefined if there is no redis-server on the PATH. Rejects if another live process uses the folder. */
export async function startEmbeddedRedis(dir: string): Promise<EmbeddedRedis | undefined> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const socketPath = socketIn(dir);
  const lock = join(dir, "owner.pid");
  takeLock(lock);
  await endOrphan(dir, socketPath);

  const server = startServer(dir);
  const outcome = await Promise.race([server.ended, untilAnswering(socketPath, true)]);
  if (outcome !== undefined) rmSync(lock);
  if (outcome === "missing") return undefined;
  if (outcome === "ended") throw new Error(`redis-server ended at once; ${join(dir, "redis.log")} says why.`);

  server.keepRunning();
  const letGo = () => {
    server.kill();
    rmSync(lock, { force: true });
  };
  process.once("exit", letGo);
  return {
    socketPath,
    async stop() {
      await server.stop();
      process.off("exit", letGo);
      rmSync(lock, { force: true });
    },
  };
}

function startServer(dir: string) {
  // Its own process group, so that Ctrl-C ends the service first and Redis last.
  const start = () => spawn("redis-server", OPTIONS, { cwd: dir, stdio: "ignore", detached: true });
  let child = start();
  let isStopping = false;

  const ended = new Promise<"missing" | "ended">((resolve) => {
    child.once("error", () => {
      resolve("missing");
    });
    child.once("exit", () => {
      resolve("ended");
    });
  });

  /** From now on, starts a new server whenever one ends by itself. */
  function keepRunning(): void {
    child.once("exit", () => {
      setTimeout(() => {
        if (isStopping) return;
        child = start();
        keepRunning();
      }, RESTART_MS).unref();
    });
  }

  function kill(): void {
    isStopping = true;
    child.kill("SIGTERM");
  }

  async function stop(): Promise<void> {
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    const exit = hasEnded ? undefined : once(child, "exit");
    kill();
    await exit;
  }

  return { ended, keepRunning, kill, stop };
}

/** Two servers in one folder would destroy each other's files. */
function takeLock(file: string): void {
  if (writeOnce(file, String(process.pid))) return;
  const owner = readPid(file);
  // In a container, a killed process had the same id as this one.
  if (owner !== undefined && owner !== process.pid && isAlive(owner)) {
    throw new Error(
      `Another Curfew (process ${owner}) keeps its data here. End it, or set REDIS_URL; if process ${owner} is something else, remove ${file}.`,
    );
  }
  rmSync(file, { force: true });
  takeLock(file);
}

/** Ends the Redis that a killed service left running. */
async function endOrphan(dir: string, socketPath: string): Promise<void> {
  if (!(await isAnswering(socketPath))) return;
  const orphan = readPid(join(dir, "redis.pid"));
  if (orphan !== undefined && isAlive(orphan)) process.kill(orphan, "SIGTERM");
  await untilAnswering(socketPath, false);
}

async function untilAnswering(socketPath: string, expected: boolean): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while ((await isAnswering(socketPath)) !== expected) {
    if (Date.now() > deadline) throw new Error(`redis-server did not ${expected ? "start" : "end"} in time`);
    await sleep(POLL_MS);
  }
}

function isAnswering(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    const settle = (answering: boolean) => {
      socket.destroy();
      resolve(answering);
    };
    socket.once("connect", () => {
      settle(true);
    });
    socket.once("error", () => {
      settle(false);
    });
  });
}

function readPid(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
