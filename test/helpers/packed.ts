import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, extname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { untilTestsEnd } from "./processes";
import { use } from "./use";

/** A project that has the package as npm would install it from a registry: what is packed, and what it asks for. */
export type Project = {
  dir: string;
  /** Runs a program to its end, and gives what it printed. */
  run(...args: string[]): string;
  /** Removes it. */
  stop(): void;
};

type Manifest = { dependencies: Record<string, string> };

const inRepository = (name: string) => resolve("node_modules", name);

/** `express`: the name under which this repository has the project's own Express. `more`: what else it has installed. */
function createProject(express: "express" | "express4", more: readonly string[]): Project {
  const dir = mkdtempSync(join(tmpdir(), "curfew-project-"));
  const installed = join(dir, "node_modules/curfew");
  mkdirSync(installed, { recursive: true });
  const npm = ["pack", "--silent", "--pack-destination", dir];
  const [file = ""] = execFileSync("npm", npm, { encoding: "utf8" }).trim().split("\n").slice(-1);
  execFileSync("tar", ["-xzf", join(dir, file), "-C", installed, "--strip-components=1"]);

  const link = (target: string, path: string) => {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(inRepository(target), path);
  };
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as Manifest;
  for (const name of Object.keys(dependencies).filter((each) => each !== "express")) {
    link(name, join(dir, "node_modules", name));
  }
  link(express, join(dir, "node_modules/express"));
  // Another version than the project's stands beside whoever asks for it.
  if (express !== "express") link("express", join(installed, "node_modules/express"));
  for (const name of ["ws", ...more]) link(name, join(dir, "node_modules", name));
  cpSync("test/library/host.mjs", join(dir, "host.mjs"));
  // Without the apps there, which may have a node_modules of their own.
  const filter = (path: string) => path === "docs/examples" || extname(path) !== "";
  cpSync("docs/examples", join(dir, "examples"), { recursive: true, filter });
  return {
    dir,
    run: (...args) => execFileSync(process.execPath, args, { cwd: dir, encoding: "utf8", timeout: 20_000 }),
    stop: () => {
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A project for all tests of a file or a describe. The arguments as above. */
export const useProject = (express: "express" | "express4", more: readonly string[] = []): Project =>
  use(() => createProject(express, more));

export type Host = { url: string; errors: string[]; exited: Promise<unknown>; stop(): Promise<void> };

/** Starts a program of the project's that prints the port it listens on. */
export async function startHost(
  { dir }: Project,
  file: string,
  settings: object,
  env: NodeJS.ProcessEnv = {},
): Promise<Host> {
  const child = untilTestsEnd(
    spawn(process.execPath, [file, JSON.stringify(settings)], {
      cwd: dir,
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  const exited = once(child, "exit");
  const errors: string[] = [];
  createInterface(child.stderr).on("line", (line) => errors.push(line));
  const [port] = (await Promise.race([
    once(createInterface(child.stdout), "line"),
    exited.then(([code]) => {
      throw new Error(`the host ended with ${String(code)}:\n${errors.join("\n")}`);
    }),
  ])) as [string];
  return {
    url: `http://127.0.0.1:${Number(port)}`,
    errors,
    exited,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
