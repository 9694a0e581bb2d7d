import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis as Client } from "ioredis";
import {
  call,
  eventually,
  expectRefusal,
  login,
  logout,
  me,
  refresh,
  register,
  untilReady,
} from "../helpers/client";
import { startService, type TestService } from "../helpers/service";

const PATH = process.env["PATH"] ?? "";

/** A folder in which nobody has started a service yet, and one with a redis-server that tells its process id. */
let dir: string;
let bin: string;
let services: TestService[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "curfew-embedded-"));
  bin = mkdtempSync(join(tmpdir(), "curfew-bin-"));
  services = [];
  provideRedis();
});

afterEach(async () => {
  // First what the services have started, while they are there to see it end.
  for (const pid of redisPids().filter(isRunning)) process.kill(pid, "SIGKILL");
  await untilNoRedisRuns();
  for (const { process: child } of services) {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  }
  for (const folder of [dir, bin]) rmSync(folder, { recursive: true, force: true });
});

function provideRedis(beforehand = ""): void {
  const script = `#!/bin/sh\necho $$ >> '${bin}/pids'\n${beforehand}\nPATH='${PATH}' exec redis-server "$@"\n`;
  writeFileSync(join(bin, "redis-server"), script, { mode: 0o755 });
}

/** As somebody starts it who has configured nothing. */
async function start(env: NodeJS.ProcessEnv = {}, cwd = dir): Promise<TestService> {
  const service = await startService({ JWT_SECRET: "", PATH: `${bin}:${PATH}`, ...env }, cwd);
  services.push(service);
  return service;
}

/** What a service says that ends before it listens. */
async function startInVain(env: NodeJS.ProcessEnv = {}): Promise<string> {
  const outcome = await start(env).catch((error: unknown) => (error as Error).message);
  if (typeof outcome !== "string") throw new Error("it listens");
  return outcome;
}

async function kill(service: TestService): Promise<void> {
  const exited = once(service.process, "exit");
  service.process.kill("SIGKILL");
  await exited;
}

/** The process ids of every redis-server that a service here has started, in their order. */
function redisPids(): number[] {
  const file = join(bin, "pids");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").map(Number) : [];
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const untilNoRedisRuns = () => eventually(() => Promise.resolve(!redisPids().some(isRunning)));

/** What it has said to whoever started it, without the log. */
async function greetingOf(service: TestService): Promise<string[]> {
  const read = () => service.log.filter((line) => !line.startsWith("{"));
  await eventually(() => Promise.resolve(read().some((line) => line.includes("curl"))));
  return read();
}

async function askRedis<T>(question: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ path: join(dir, ".data/redis/redis.sock"), retryStrategy: null });
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}

async function expectLogoutWorks(url: string): Promise<void> {
  const { access_token: token } = await register(url);
  expect((await me(url, token)).status).toBe(200);
  expect((await logout(url, token)).status).toBe(200);
  expectRefusal(await me(url, token), 401, "token_revoked");
}

describe("without REDIS_URL", () => {
  it("says which Redis it uses, where it listens and what to try, and that works", async () => {
    const service = await start();
    const said = await greetingOf(service);
    expect(said).toHaveLength(2);
    expect(said[0]).toBe("Curfew is up and keeps its data in a redis-server of its own, in .data/redis.");
    const [, page = ""] = /^Open (\S+), or try: /.exec(said[1] ?? "") ?? [];
    expect(page.startsWith(service.url)).toBe(true);
    expect((await fetch(page)).status).toBe(200);
    const [, url = "", body = ""] =
      /curl (\S+) -H 'Content-Type: application\/json' -d '(.+)'$/.exec(said[1] ?? "") ?? [];
    expect(url).toBe(`${service.url}/api/auth/register`);
    const answer = await call(url, "POST", "", { body: JSON.parse(body) as unknown });
    expect(answer.status).toBe(201);
  });

  it("starts one redis-server, on a Unix socket that nobody else can open, each write on disk", async () => {
    await start();
    expect(redisPids()).toHaveLength(1);
    const settings = await askRedis((client) => client.config("GET", "*"));
    const pairs = settings as string[];
    const config = Object.fromEntries(
      pairs.flatMap((name, at) => (at % 2 === 0 ? [[name, pairs[at + 1]]] : [])),
    );
    expect(config).toMatchObject({
      port: "0",
      "tls-port": "0",
      unixsocket: "redis.sock",
      appendonly: "yes",
      appendfsync: "always",
      save: "",
      "maxmemory-policy": "noeviction",
    });
    expect(statSync(join(dir, ".data/redis/redis.sock")).mode & 0o777).toBe(0o700);
  });

  it("serves logout", async () => {
    await expectLogoutWorks((await start()).url);
  });

  it("keeps its key, its data and itself from everybody else", async () => {
    await start();
    const mode = (path: string) => (statSync(join(dir, path)).mode & 0o777).toString(8);
    expect(mode(".data")).toBe("700");
    expect(mode(".data/jwt-secret")).toBe("600");
    expect(mode(".data/redis")).toBe("700");
    expect(readdirSync(dir)).toEqual([".data"]);
  });
});

describe("a stop and a start", () => {
  it("lose nothing: accounts, sessions, tokens and what is revoked", async () => {
    const first = await start();
    const kept = await register(first.url);
    const revoked = await register(first.url);
    expect((await logout(first.url, revoked.access_token)).status).toBe(200);
    await first.stop();

    const { url } = await start();
    expect((await me(url, kept.access_token)).status).toBe(200);
    expect((await refresh(url, kept.refresh_token)).status).toBe(200);
    await login(url, kept.user.email);
    expectRefusal(await me(url, revoked.access_token), 401, "token_revoked");
    expectRefusal(await refresh(url, revoked.refresh_token), 401, "refresh_token_invalid");
    await login(url, revoked.user.email);
  });

  it.each(["SIGTERM", "SIGINT"] as const)("end the redis-server with the service, on %s", async (signal) => {
    const service = await start();
    const exited = once(service.process, "exit");
    service.process.kill(signal);
    expect(await exited).toEqual([0, null]);
    expect(redisPids().filter(isRunning)).toEqual([]);
    expect(existsSync(join(dir, ".data/redis/redis.sock"))).toBe(false);
  });
});

describe("a service that was killed", () => {
  it("leaves a redis-server that the next one ends, and all its data", async () => {
    const first = await start();
    const kept = await register(first.url);
    const revoked = await register(first.url);
    expect((await logout(first.url, revoked.access_token)).status).toBe(200);
    await kill(first);
    const [orphan = 0] = redisPids();
    expect(isRunning(orphan)).toBe(true);

    const { url } = await start();
    await eventually(() => Promise.resolve(!isRunning(orphan)));
    expect(redisPids().filter(isRunning)).toHaveLength(1);
    expect((await me(url, kept.access_token)).status).toBe(200);
    expectRefusal(await me(url, revoked.access_token), 401, "token_revoked");
    await login(url, kept.user.email);
  });

  it("is no obstacle when its redis-server was killed with it", async () => {
    const first = await start();
    const tokens = await register(first.url);
    await kill(first);
    for (const pid of redisPids()) process.kill(pid, "SIGKILL");
    await untilNoRedisRuns();
    expect(existsSync(join(dir, ".data/redis/redis.sock"))).toBe(true);
    expect((await me((await start()).url, tokens.access_token)).status).toBe(200);
  });
});

describe("the note of whose folder it is", () => {
  const note = () => join(dir, ".data/redis/owner.pid");
  beforeEach(() => {
    mkdirSync(join(dir, ".data/redis"), { recursive: true });
  });

  it("is no obstacle when it names nobody who lives", async () => {
    const { pid } = spawnSync("true");
    for (const text of [String(pid), ""]) {
      writeFileSync(note(), text);
      const service = await start();
      await expectLogoutWorks(service.url);
      await service.stop();
    }
  });

  // In a container every start may have the same process id.
  it("is no obstacle when a service that was killed had this one's process id", async () => {
    const script = join(bin, "before.js");
    writeFileSync(
      script,
      `require("node:fs").writeFileSync(${JSON.stringify(note())}, String(process.pid));`,
    );
    await expectLogoutWorks((await start({ NODE_OPTIONS: `--require ${script}` })).url);
  });
});

describe("two services in one folder", () => {
  it("are one too many: the second names the first and leaves it alone", async () => {
    const first = await start();
    const message = await startInVain();
    expect(message).toContain("ended with 1");
    expect(message).toContain(`Another Curfew (process ${first.process.pid ?? 0})`);
    expect(message).toContain(".data/redis");
    expect(redisPids()).toHaveLength(1);
    await expectLogoutWorks(first.url);
  });

  it("are one too many when they start at the same moment, too", async () => {
    // Long enough for each to find that nobody is there yet.
    provideRedis("sleep 0.5");
    const started = await Promise.allSettled([start(), start()]);
    expect(started.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await eventually(() => Promise.resolve(redisPids().filter(isRunning).length === 1));
    const [service] = services;
    await expectLogoutWorks(service?.url ?? "");
  });
});

describe("what stands in the way", () => {
  it("a very long path doesn't, though a Unix socket's name is short", async () => {
    const deep = join(dir, "a-folder-with-a-long-name".repeat(4), "and-another".repeat(4));
    expect(deep.length).toBeGreaterThan(110);
    mkdirSync(deep, { recursive: true });
    const service = await start({}, deep);
    expect((await greetingOf(service))[0]).toContain("a redis-server of its own");
    await expectLogoutWorks(service.url);
    await service.stop();
    await untilNoRedisRuns();
  });

  it("a file that Redis can't read is told, with where Redis says why", async () => {
    const first = await start();
    await register(first.url);
    await first.stop();
    const folder = join(dir, ".data/redis/appendonlydir");
    const file = readdirSync(folder).find((name) => name.endsWith(".incr.aof")) ?? "";
    writeFileSync(join(folder, file), "neither a command nor cut short\r\n".repeat(3));
    const message = await startInVain();
    expect(message).toMatch(/ended with 1:\nCurfew can't start\. .*\.data\/redis\/redis\.log/);
    expect(readFileSync(join(dir, ".data/redis/redis.log"), "utf8")).toContain("Bad file format");
    expect(readFileSync(join(folder, file), "utf8")).toContain("neither a command");
  });

  it("a file cut short by a crash doesn't: what was acknowledged before is there", async () => {
    const first = await start();
    const tokens = await register(first.url);
    await first.stop();
    const folder = join(dir, ".data/redis/appendonlydir");
    const file = readdirSync(folder).find((name) => name.endsWith(".incr.aof")) ?? "";
    appendFileSync(join(folder, file), "*3\r\n$3\r\nSET\r\n$6\r\ncurf");
    expect((await me((await start()).url, tokens.access_token)).status).toBe(200);
  });

  it("a port in use does, and no redis-server is left behind", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const message = await startInVain({ PORT: String(port) });
    other.close();
    expect(message).toContain("address already in use");
    expect(redisPids()).toHaveLength(1);
    await untilNoRedisRuns();
  });

  it("a redis-server that dies doesn't for long: another one starts, with everything that was there", async () => {
    const service = await start();
    const tokens = await register(service.url);
    const [first] = redisPids();
    process.kill(first ?? 0, "SIGKILL");
    expectRefusal(await me(service.url, tokens.access_token), 503, "denylist_unavailable");
    await untilReady(service.url);
    expect((await me(service.url, tokens.access_token)).status).toBe(200);
    await expectLogoutWorks(service.url);
    await service.stop();
    await untilNoRedisRuns();
  });
});

describe("in memory", () => {
  it("it serves, when there is no redis-server on the PATH, and says so in one line", async () => {
    rmSync(join(bin, "redis-server"));
    const service = await start({ PATH: bin });
    const said = await greetingOf(service);
    expect(said).toHaveLength(2);
    expect(said[0]).toBe(
      "Curfew is up and found no redis-server on the PATH: IT FORGETS EVERYTHING when it ends.",
    );
    await expectLogoutWorks(service.url);
  });

  it("it doesn't serve where others could reach it, though it was not told to use memory", async () => {
    rmSync(join(bin, "redis-server"));
    const message = await startInVain({ PATH: bin, HOST: "0.0.0.0" });
    expect(message).toMatch(/ended with 1:\nCurfew can't start\. .*no redis-server on the PATH.*HOST/);
  });

  it("it serves, when told to by memory://, and starts no redis-server", async () => {
    const service = await start({ REDIS_URL: "memory://" });
    const said = await greetingOf(service);
    expect(said[0]).toBe("Curfew is up and was told to use memory://: IT FORGETS EVERYTHING when it ends.");
    expect(said[1]).toContain(`Open ${service.url}, or try: curl ${service.url}/api/auth/register`);
    await expectLogoutWorks(service.url);
    expect(redisPids()).toEqual([]);
    expect(existsSync(join(dir, ".data/redis"))).toBe(false);
  });

  it("a restart forgets, and lets nobody in who was known before", async () => {
    const first = await start({ REDIS_URL: "memory://" });
    const tokens = await register(first.url);
    await first.stop();
    const { url } = await start({ REDIS_URL: "memory://" });
    expectRefusal(await me(url, tokens.access_token), 401, "token_revoked");
    expectRefusal(await refresh(url, tokens.refresh_token), 401, "refresh_token_invalid");
  });
});
