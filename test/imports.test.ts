import { readSource, readSources, type Import, type Source } from "./helpers/imports";

/** What each room may import; the files at the root are rooms of their own. What isn't listed may not be imported. */
const MAY_IMPORT: Record<string, string[]> = {
  index: ["curfew", "http", "auth", "accounts", "denylist", "settings", "errors"],
  main: ["core", "http", "settings", "issuers", "keys", "metrics", "redis", "log"],
  cli: [
    "core",
    "ops",
    "settings",
    "settings/table",
    "settings/kinds",
    "sessions",
    "accounts",
    "denylist",
    "issuers",
    "keys",
    "redis",
    "errors",
  ],
  curfew: ["core", "http", "settings", "auth", "denylist", "issuers", "redis"],
  http: [
    "core",
    "ops",
    "settings",
    "settings/table",
    "settings/kinds",
    "auth",
    "accounts",
    "denylist",
    "tokens",
    "keys",
    "redis",
    "errors",
    "log",
    "metrics",
  ],
  core: [
    "ops",
    "auth",
    "sessions",
    "accounts",
    "denylist",
    "tokens",
    "issuers",
    "keys",
    "redis",
    "settings/table",
    // What counts is told by those who are counted; only its type is needed here.
    "metrics",
  ],
  metrics: ["accounts", "denylist", "redis", "errors"],
  settings: ["settings/table", "settings/kinds", "accounts", "issuers", "tokens", "keys", "redis"],
  ops: ["auth", "sessions", "accounts", "denylist", "tokens", "issuers", "redis", "errors"],
  auth: ["sessions", "accounts", "denylist", "tokens", "issuers", "errors"],
  // A session and its entries change together, in one script: it knows what the denylist's keys are.
  sessions: ["denylist", "tokens", "redis", "errors", "settings/table"],
  accounts: ["redis", "errors"],
  denylist: ["tokens", "issuers", "redis", "errors", "log"],
  issuers: ["tokens", "keys", "errors", "log"],
  tokens: ["keys", "errors", "settings/table"],
  keys: [],
  redis: ["keys", "errors", "log"],
  // What is set lies below those who are told of it; who reads it, above them.
  "settings/table": ["settings/kinds"],
  "settings/kinds": [],
  errors: [],
  // It runs in browsers, and is no part of the service.
  browser: [],
  // Whoever logs takes an event's level from its table.
  log: [],
};

/** Where alone a package may be imported. */
const ONLY_IN: Record<string, string[]> = {
  express: ["http"],
  "express-rate-limit": ["http"],
  helmet: ["http"],
  cors: ["http"],
  jsonwebtoken: ["tokens", "issuers"],
  "@node-rs/argon2": ["accounts"],
  ioredis: ["redis"],
  "ioredis-mock": ["redis"],
  "prom-client": ["metrics"],
};

/** The library, for the variable that an issuer of its app's names. */
const MAY_READ_ENV = ["main", "cli", "curfew"];

/** The folder or, at the root, the file that a source belongs to; and a file that is listed is a room of its own. */
const roomOf = (file: string) => (file in MAY_IMPORT ? file : (file.split("/")[0] ?? file));

function violationsOf(sources: Source[]): string[] {
  return sources.flatMap(({ file, imports, readsEnv }) => [
    ...(roomOf(file) in MAY_IMPORT ? [] : [`${file} has no rule here`]),
    ...imports.filter((each) => !isAllowed(file, each)).map(({ target }) => `${file} → ${target}`),
    ...(readsEnv && !MAY_READ_ENV.includes(file) ? [`${file} → process.env`] : []),
  ]);
}

function isAllowed(file: string, { target, isFile }: Import): boolean {
  const room = roomOf(file);
  if (!isFile) return target !== "a computed name" && (ONLY_IN[target]?.includes(room) ?? true);
  return [room, ...(MAY_IMPORT[room] ?? [])].includes(roomOf(target));
}

/** The files that import each other in a circle, types included; undefined if there is none. */
function cycleIn(sources: Source[]): string[] | undefined {
  const importsOf = new Map(
    sources.map(({ file, imports }) => [file, imports.filter(({ isFile }) => isFile)] as const),
  );
  const done = new Set<string>();

  function walk(file: string, path: string[]): string[] | undefined {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const { target } of importsOf.get(file) ?? []) {
      const cycle = walk(target, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  }

  for (const file of importsOf.keys()) {
    const cycle = walk(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}

describe("the source", () => {
  const sources = readSources();

  it("is all read, with the imports it has", () => {
    const files = sources.map(({ file }) => file);
    expect(files).toEqual(expect.arrayContaining(["main", "http/app", "denylist/denylist", "keys/keys"]));
    const known = sources.flatMap(({ imports }) => imports.filter(({ isFile }) => isFile));
    expect(known.length).toBeGreaterThan(40);
    for (const { target } of known) expect(files).toContain(target);
  });

  it("imports in one direction only", () => {
    expect(violationsOf(sources)).toEqual([]);
  });

  it("has no circle of imports", () => {
    expect(cycleIn(sources)).toBeUndefined();
  });

  it("uses each package that has one place in that place", () => {
    const packages = sources.flatMap(({ imports }) =>
      imports.filter(({ isFile }) => !isFile).map(({ target }) => target),
    );
    expect(packages).toEqual(expect.arrayContaining(Object.keys(ONLY_IN)));
  });
});

describe("the check", () => {
  it.each([
    ["denylist/denylist.ts", `import { sessionKey } from "../sessions/sessions";`, "sessions/sessions"],
    ["denylist/denylist.ts", `import type { Session } from "../sessions/sessions";`, "sessions/sessions"],
    ["denylist/denylist.ts", `import type { Token } from "../auth/tokens";`, "auth/tokens"],
    ["tokens/access-tokens.ts", `import { type Redis, connectRedis } from "../redis/redis";`, "redis/redis"],
    ["auth/auth.ts", `import { addressOf } from "../http/request/caller";`, "http/request/caller"],
    ["auth/auth.ts", `import type { Config } from "../settings/config";`, "settings/config"],
    ["http/app.ts", `import "../main";`, "main"],
    ["http/app.ts", `export { createSessions } from "../http/../sessions/sessions";`, "sessions/sessions"],
    ["http/routes/oauth.ts", `import { createJwks } from "../../issuers/jwks";`, "issuers/jwks"],
    ["redis/redis.ts", `const auth = await import("../auth/auth");`, "auth/auth"],
    ["errors.ts", `type Redis = import("./redis/redis").Redis;`, "redis/redis"],
    ["auth/auth.ts", `import type { Request } from "express";`, "express"],
    ["http/guard.ts", `import { verify } from "jsonwebtoken";`, "jsonwebtoken"],
    ["auth/auth.ts", `import argon2 = require("@node-rs/argon2");`, "@node-rs/argon2"],
    ["denylist/denylist.ts", `const { Redis } = require("ioredis");`, "ioredis"],
    ["sessions/sessions.ts", `import Memory from "ioredis-mock";`, "ioredis-mock"],
    ["http/routes/metrics.ts", `import { Registry } from "prom-client";`, "prom-client"],
    ["denylist/writer.ts", `import type { Meter } from "../metrics/meter";`, "metrics/meter"],
    ["auth/auth.ts", `void import("node:" + "fs");`, "a computed name"],
    ["settings/config.ts", `const port = process.env["PORT"];`, "process.env"],
    ["redis/redis.ts", `const { env } = process;`, "process.env"],
    ["http/app.ts", `const debug = process["env"].DEBUG;`, "process.env"],
  ])("refuses in %s: %s", (file, text, target) => {
    expect(violationsOf([readSource(file, text)])).toEqual([`${file.replace(".ts", "")} → ${target}`]);
  });

  it.each([
    ["main.ts", `import { readConfig } from "./settings/config"; readConfig(process.env);`],
    ["http/app.ts", `import express from "express"; import type { Settings } from "../settings/table";`],
    [
      "http/routes/keys.ts",
      `import { requireToken } from "../guard"; import { readSecret } from "../../keys/keys";`,
    ],
    ["sessions/sessions.ts", `import { jtiKey } from "../denylist/entry";`],
    ["auth/auth.ts", `import { join } from "node:path"; process.exit(1); // process.env`],
  ])("allows in %s: %s", (file, text) => {
    expect(violationsOf([readSource(file, text)])).toEqual([]);
  });

  it("takes an import of process for a look at its environment", () => {
    expect(violationsOf([readSource("auth/auth.ts", `import { env } from "node:process";`)])).toEqual([
      "auth/auth → process.env",
    ]);
  });

  it("asks for a rule when a new part appears", () => {
    expect(violationsOf([readSource("utils.ts", "export {};")])).toEqual(["utils has no rule here"]);
  });

  it("finds a circle, also one of types, and none where two ways lead to one file", () => {
    const of = (imports: Record<string, string>) =>
      cycleIn(Object.entries(imports).map(([file, text]) => readSource(file, text)));
    expect(
      of({
        "a.ts": `import "./b"; import "./c";`,
        "b.ts": `import type { C } from "./c";`,
        "c.ts": `import { type B } from "./b";`,
      }),
    ).toEqual(["b", "c", "b"]);
    expect(of({ "a.ts": `import "./a";` })).toEqual(["a", "a"]);
    expect(
      of({ "a.ts": `import "./b"; import "./c";`, "b.ts": `import "./c";`, "c.ts": "" }),
    ).toBeUndefined();
  });
});
