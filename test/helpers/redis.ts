import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis as Client } from "ioredis";
import { parse } from "yaml";
import { untilTestsEnd } from "./processes";

const PASSWORD = "only-for-tests";

export type TestRedis = {
  /** As a service connects: the user that docker-compose.yml describes, which may do no more than that. */
  url: string;
  port: number;
  pid: number;
  /** May do everything, for looking and for breaking things. */
  admin: Client;
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

export async function startRedis(options: string[] = []): Promise<TestRedis> {
  const dir = mkdtempSync(join(tmpdir(), "curfew-redis-"));
  const port = await freePort();
  const child = untilTestsEnd(
    spawn(
      "redis-server",
      [
        `--port ${port}`,
        "--bind 127.0.0.1",
        `--dir ${dir}`,
        "--save ''",
        "--user default off",
        `--user admin on >${PASSWORD} ~* &* +@all`,
        `--user curfew on >${PASSWORD} resetchannels ${readAclRules()}`,
        ...options,
      ],
      { stdio: "ignore" },
    ),
  );
  const exited = once(child, "exit");
  const admin = new Client(`redis://admin:${PASSWORD}@127.0.0.1:${port}`, { retryStrategy: () => 20 });
  // Until it listens, and whenever a test stops it.
  admin.on("error", () => undefined);
  await admin.ping();
  return {
    url: `redis://curfew:${PASSWORD}@127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    admin,
    async stop() {
      admin.disconnect();
      child.kill("SIGKILL");
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
