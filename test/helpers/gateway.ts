import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./client";
import { untilTestsEnd } from "./processes";
import { freePort } from "./redis";

export type TestServer = { url: string; stop(): Promise<void> };

type Program = {
  command: string;
  debianPackage: string;
  /** Writes its files into a folder of its own, and returns its arguments. */
  prepare: (dir: string, port: number) => string[];
};

/** A gateway's own program, until it listens. */
export async function startGateway({ command, debianPackage, prepare }: Program): Promise<TestServer> {
  const dir = mkdtempSync(join(tmpdir(), `curfew-${command}-`));
  const port = await freePort();
  const child = untilTestsEnd(
    spawn(find(command, debianPackage), prepare(dir, port), {
      stdio: ["ignore", "ignore", "pipe"],
      // It may want to keep something.
      env: { ...process.env, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
    }),
  );
  const complaints: string[] = [];
  createInterface(child.stderr).on("line", (line) => complaints.push(line));
  const exited = once(child, "exit");
  const failed = exited.then(() => {
    throw new Error(`${command} ended at once:\n${complaints.join("\n")}`);
  });
  await Promise.race([failed, eventually(() => isListening(port))]);
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill("SIGTERM");
      await exited;
      rmSync(dir, { recursive: true });
    },
  };
}

/** A file as it stands, but for what is different in a test. */
export function fillFile(file: string, differences: Record<string, string>): string {
  return Object.entries(differences).reduce(
    (filled, [written, real]) => {
      if (!filled.includes(written)) throw new Error(`${file} doesn't say "${written}"`);
      return filled.replaceAll(written, real);
    },
    readFileSync(file, "utf8"),
  );
}

/** Debian keeps servers where only root looks for commands. */
const FIND =
  'PATH="$PATH:/usr/sbin"; command -v "$0" || { echo "Install $0 (Debian: apt-get install $1)." >&2; exit 1; }';

export const find = (command: string, debianPackage: string) =>
  execFileSync("sh", ["-c", FIND, command, debianPackage], { encoding: "utf8" }).trim();

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      resolve(true);
      socket.destroy();
    });
    socket.once("error", () => {
      resolve(false);
    });
  });
}
