import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./client";
import { untilTestsEnd } from "./processes";
import { freePort } from "./redis";

export type TestServer = { url: string; stop(): Promise<void> };

const TEMP_PATHS = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** A real nginx that runs a file for conf.d as it stands, but for the addresses in it. */
export async function startNginx(file: string, addresses: Record<string, string>): Promise<TestServer> {
  const dir = mkdtempSync(join(tmpdir(), "curfew-nginx-"));
  const port = await freePort();
  writeFileSync(join(dir, "site.conf"), fill(readFileSync(file, "utf8"), port, addresses));
  // One process: a master that is killed would leave its workers behind.
  writeFileSync(
    join(dir, "nginx.conf"),
    `master_process off;
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${TEMP_PATHS.map((name) => `${name}_temp_path ${name};`).join("\n  ")}
  include ${dir}/site.conf;
}
`,
  );
  const child = untilTestsEnd(
    spawn(find("nginx", "nginx-light"), ["-p", dir, "-e", "stderr", "-c", "nginx.conf"], {
      stdio: ["ignore", "ignore", "pipe"],
    }),
  );
  const complaints: string[] = [];
  createInterface(child.stderr).on("line", (line) => complaints.push(line));
  const exited = once(child, "exit");
  const failed = exited.then(() => {
    throw new Error(`nginx ended at once:\n${complaints.join("\n")}`);
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

/** The application behind it, in Python. */
export async function startUpstream(): Promise<TestServer> {
  const child = untilTestsEnd(
    spawn(find("python3", "python3"), [join(__dirname, "upstream.py")], {
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  const exited = once(child, "exit");
  const failed = exited.then(() => {
    throw new Error("the application in Python ended at once");
  });
  const [port] = (await Promise.race([failed, once(createInterface(child.stdout), "line")])) as [string];
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** Each address must be there once, so that what a test doesn't reach can't go unnoticed. */
function fill(text: string, port: number, addresses: Record<string, string>): string {
  const all = { "listen 8080;": `listen 127.0.0.1:${port};`, ...addresses };
  return Object.entries(all).reduce((filled, [address, real]) => {
    if (filled.split(address).length !== 2) throw new Error(`it doesn't say "${address}" once`);
    return filled.replace(address, real);
  }, text);
}

/** Debian keeps nginx where only root looks for commands. */
const FIND =
  'PATH="$PATH:/usr/sbin"; command -v "$0" || { echo "Install $0 (Debian: apt-get install $1)." >&2; exit 1; }';

const find = (command: string, debianPackage: string) =>
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
