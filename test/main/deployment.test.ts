import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { parse } from "yaml";
import { readConfig } from "../../src/settings/config";
import { readSources } from "../helpers/imports";
import { readAclRules } from "../helpers/redis";

type Service = {
  build?: string;
  image?: string;
  command?: string[];
  environment: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  stop_grace_period?: string;
  [key: string]: unknown;
};
type Compose = { services: { api: Service; redis: Service }; volumes: Record<string, unknown> };

const lines = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

describe("docker-compose.yml", () => {
  const text = readFileSync("docker-compose.yml", "utf8");
  const { services, volumes } = parse(text) as Compose;
  const { api, redis } = services;

  it("describes the service and its Redis, and nothing else", () => {
    expect(Object.keys(services)).toEqual(["api", "redis"]);
    expect(api.build).toBe(".");
    expect(redis.image).toMatch(/^redis:7/);
  });

  it("runs a Redis that forgets nothing: each write on disk, no eviction, a named volume", () => {
    expect(redis.command).toEqual(
      expect.arrayContaining([
        "redis-server",
        "--appendonly yes",
        "--appendfsync always",
        "--maxmemory-policy noeviction",
      ]),
    );
    expect(redis.volumes).toEqual(["redis-data:/data"]);
    expect(Object.keys(volumes)).toEqual(["redis-data"]);
  });

  it("lets nobody into Redis but one user, who is kept to Curfew's keys and commands", () => {
    const users = redis.command?.filter((argument) => argument.startsWith("--user "));
    expect(users).toHaveLength(2);
    expect(users?.[0]).toBe("--user default off ~* &* +@all");
    expect(users?.[1]).toMatch(
      /^--user curfew on >\$\{REDIS_PASSWORD:\?[^}]+\} resetchannels ~curfew:\* -@all( \+[a-z|]+)+$/,
    );
    expect(readAclRules()).toMatch(/^~curfew:\* -@all \+ping/);
    for (const command of ["keys", "flushall", "flushdb", "config", "acl", "persist", "debug"]) {
      expect(readAclRules().split(" ")).not.toContain(`+${command}`);
    }
    expect(redis.ports).toBeUndefined();
  });

  it("takes both secrets from the environment and refuses to start without them", () => {
    expect(api.environment["JWT_SECRET"]).toMatch(/^\$\{JWT_SECRET:\?[^}]+\}$/);
    expect(api.environment["REDIS_URL"]).toMatch(
      /^redis:\/\/curfew:\$\{REDIS_PASSWORD:\?[^}]+\}@redis:6379$/,
    );
    expect(redis.environment["REDIS_PASSWORD"]).toMatch(/^\$\{REDIS_PASSWORD:\?[^}]+\}$/);
    const variables = [...text.matchAll(/(?<!\$)\$\{?(\w+)(:.)?/g)];
    const required = variables.filter(([, , kind]) => kind === ":?").map(([, name]) => name);
    expect(new Set(required)).toEqual(new Set(["JWT_SECRET", "REDIS_PASSWORD"]));
    // Every other is empty if it is not set, under its own name.
    for (const [, name = "", kind] of variables.filter(([, , kind]) => kind !== ":?")) {
      expect(kind).toBe(":-");
      expect(api.environment[name]).toBe(`\${${name}:-}`);
    }
  });

  it("starts the service when Redis answers its own user, not before", () => {
    expect(api.depends_on).toEqual({ redis: { condition: "service_healthy" } });
    expect(redis.healthcheck?.test.join(" ")).toContain("redis-cli --user curfew ping | grep -q PONG");
  });

  it("can be scaled: no service has a name of its own, and the host's ports are a range on loopback", () => {
    for (const service of [api, redis]) expect(service).not.toHaveProperty("container_name");
    const [, first, last] = /^127\.0\.0\.1:(\d+)-(\d+):3000$/.exec(api.ports?.join() ?? "") ?? [];
    expect(Number(last) - Number(first)).toBeGreaterThanOrEqual(2);
  });

  it("gives the service nothing it doesn't need", () => {
    expect(api).toMatchObject({
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
    });
    expect(api).not.toHaveProperty("volumes");
    expect(api).not.toHaveProperty("privileged");
  });

  it("waits longer for the service to stop than the service waits for its requests", () => {
    const [, seconds] = /^(\d+)s$/.exec(api.stop_grace_period ?? "") ?? [];
    expect(Number(seconds) * 1000).toBeGreaterThan(readConfig({}).shutdownGraceMs);
  });

  it("configures a service that starts", () => {
    const given: Record<string, string> = {
      REDIS_PASSWORD: "0123456789abcdef",
      JWT_SECRET: "kX9v2QpLr7TzWm4NcYh8sBd1GfJ6uAe3RoVi5xUwMqE",
    };
    const filled = Object.entries(api.environment).map(([name, value]) => [
      name,
      value.replace(/\$\{(\w+):[?-][^}]*\}/g, (_, variable: string) => given[variable] ?? ""),
    ]);
    const config = readConfig({
      NODE_ENV: "production",
      ...(Object.fromEntries(filled) as NodeJS.ProcessEnv),
    });
    expect(config).toMatchObject({ port: 3000, host: "0.0.0.0" });
    const { redis } = config;
    expect(redis.mode === "single" && new URL(redis.url).password).toBe(given["REDIS_PASSWORD"]);
  });
});

describe("Dockerfile", () => {
  /** One instruction each, its continuation lines joined. */
  const instructions = lines(readFileSync("Dockerfile", "utf8").replaceAll("\\\n", " ")).map((line) => {
    const [, name = "", rest = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    return { name, rest };
  });
  const bases = instructions.filter(({ name }) => name === "FROM").map(({ rest }) => rest);
  const lastFrom = instructions.map(({ name }) => name).lastIndexOf("FROM");
  const last = instructions.slice(lastFrom);
  const all = (name: string, stage = instructions) =>
    stage.filter((instruction) => instruction.name === name).map(({ rest }) => rest);

  it("builds every stage on the same image", () => {
    expect(bases.length).toBeGreaterThan(1);
    for (const base of bases) expect(base.split(" ")[0]).toBe("node:24-slim");
  });

  it("installs what the lock file says, without a fallback", () => {
    for (const command of all("RUN")) expect(command).toMatch(/^npm (ci( --omit=dev)?|run build)$/);
  });

  it("runs as the user node, who owns none of it", () => {
    expect(all("USER", last)).toEqual(["node"]);
    for (const copy of all("COPY", last)) expect(copy).not.toMatch(/--ch(own|mod)/);
  });

  it("runs for production, asked for its health by a route that needs no Redis", () => {
    expect(all("ENV", last).join(" ").split(" ")).toContain("NODE_ENV=production");
    expect(all("HEALTHCHECK", last)).toHaveLength(1);
    expect(all("HEALTHCHECK", last)[0]).toContain("/healthz");
    expect(all("CMD", last)).toEqual(['["node", "dist/main.js"]']);
  });

  it("carries no dev dependency and no source: what it runs, and nothing that built it", () => {
    expect(all("RUN", last)).toEqual([]);
    const copies = all("COPY", last);
    expect(copies.filter((copy) => !copy.startsWith("--from="))).toEqual(["package.json ./"]);
    const [, stage = "none"] =
      /^--from=(\S+) \/app\/node_modules /.exec(copies.find((copy) => copy.includes("node_modules")) ?? "") ??
      [];
    const from = instructions.findIndex(({ name, rest }) => name === "FROM" && rest.endsWith(` AS ${stage}`));
    const next = instructions.findIndex(({ name }, at) => name === "FROM" && at > from);
    expect(all("RUN", instructions.slice(from, next))).toEqual(["npm ci --omit=dev"]);
  });

  it("sees of this folder only what it copies: no secret, no data, no module", () => {
    const ignored = lines(readFileSync(".dockerignore", "utf8"));
    expect(ignored[0]).toBe("*");
    const copied = all("COPY")
      .filter((copy) => !copy.startsWith("--from="))
      .flatMap((copy) => copy.split(" ").slice(0, -1));
    expect(new Set(ignored.slice(1))).toEqual(new Set(copied.map((name) => `!${name}`)));
  });
});

describe("package.json", () => {
  type Package = Record<"dependencies" | "devDependencies" | "engines", Record<string, string>>;
  const { dependencies, devDependencies, engines } = JSON.parse(
    readFileSync("package.json", "utf8"),
  ) as Package;

  it("lists every package that runs under dependencies", () => {
    const needed = readSources()
      .flatMap(({ imports }) => imports)
      .filter(({ isFile, isType }) => !isFile && !isType)
      .map(({ target }) => target)
      .filter((name) => !name.startsWith("node:"));
    expect(needed).toContain("express");
    for (const name of needed) {
      expect(builtinModules).not.toContain(name);
      const parts = name.split("/").slice(0, name.startsWith("@") ? 2 : 1);
      expect(Object.keys(dependencies)).toContain(parts.join("/"));
    }
  });

  it("pins every version, none of them twice", () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(`${name}@${version}`).toMatch(/@\d+\.\d+\.\d+$/);
    }
    expect(Object.keys(dependencies).filter((name) => name in devDependencies)).toEqual([]);
    expect(engines).toEqual({ node: ">=20" });
  });

  it.each([
    // CVE-2025-65945: signatures of HS256 that weren't verified.
    ["jws", "4.0.1"],
    // CVE-2025-13466: held up by a form with many parameters.
    ["body-parser", "2.2.1"],
    // CVE-2025-15284, CVE-2026-2391: held up by arrays in a query.
    ["qs", "6.14.2"],
    // CVE-2026-30827: all of IPv4 in one bucket.
    ["express-rate-limit", "8.2.2"],
  ])("runs no %s older than %s, before which it had a hole", (name, since) => {
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
      packages: Record<string, { version: string; dev?: boolean }>;
    };
    const running = Object.entries(packages).filter(
      ([path, { dev }]) => dev !== true && path.endsWith(`node_modules/${name}`),
    );
    expect(running).not.toEqual([]);
    for (const [, { version }] of running) {
      expect(version.localeCompare(since, "en", { numeric: true })).toBeGreaterThanOrEqual(0);
    }
  });

  // With one missing, npm 11's `npm ci` refuses the lock file, on every machine.
  it("has a lock file that holds every platform's optional packages", () => {
    type Locked = { optionalDependencies?: Record<string, string> };
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
      packages: Record<string, Locked>;
    };
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
      Object.keys(optionalDependencies ?? {}).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      ),
    );
    expect(missing).toEqual([]);
  });
});
