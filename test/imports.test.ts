import { readSource, readSources, type Import, type Source } from "./helpers/imports";

/** main → http → auth → the nouns → redis, errors. What isn't listed may not be imported; `type` means types only. */
const MAY_IMPORT: Record<string, string[]> = {
  main: ["*"],
  cli: ["*"],
  // The library: its face, what it puts together, and how it reads what an app gives it.
  index: [
    "curfew",
    "type library",
    "library/revoking",
    "type accounts",
    "type denylist",
    "errors",
    "type http",
    "type tokens",
  ],
  curfew: ["library", "parts", "http", "redis", "shards", "tokens", "type denylist"],
  library: [
    ...["settings", "trusted-issuers", "tokens", "denylist/entry", "redis/app-client", "redis/address"],
    ...["errors", "type accounts", "type denylist", "type redis"],
  ],
  parts: [
    ...["auth", "sessions", "accounts", "passwords", "denylist", "tokens", "type redis", "type shards"],
  ],
  config: [
    ...["settings", "redis-settings", "key-settings", "trusted-issuers", "oauth-clients", "type tokens"],
  ],
  "redis-settings": ["settings", "redis/address"],
  "key-settings": ["settings", "tokens/keys", "tokens/key-list", "type tokens"],
  "trusted-issuers": ["settings", "tokens"],
  "oauth-clients": [],
  settings: [],
  "write-once": [],
  "replace-file": [],
  http: [
    ...["auth", "sessions", "accounts", "passwords", "denylist", "tokens", "redis", "shards", "errors"],
    ...["oauth-clients", "type parts", "type settings"],
  ],
  auth: ["sessions", "accounts", "passwords", "denylist", "tokens", "redis", "errors"],
  // A session and its entries change together, in one script: it knows the denylist's key contract.
  sessions: ["denylist/entry", "denylist/writer", "type tokens", "redis", "shards", "errors"],
  accounts: ["redis", "shards", "errors"],
  passwords: ["queue", "errors"],
  queue: ["errors"],
  denylist: ["type tokens", "redis", "shards", "errors"],
  tokens: ["write-once", "replace-file", "errors"],
  shards: ["redis/crc16"],
  redis: ["write-once", "errors"],
  errors: [],
};

/** Where alone a package may be imported. */
const ONLY_IN: Record<string, string[]> = {
  express: ["http"],
  "express-rate-limit": ["http"],
  helmet: ["http"],
  cors: ["http"],
  jsonwebtoken: ["tokens"],
  "@node-rs/argon2": ["passwords"],
  ioredis: ["redis"],
  "ioredis-mock": ["redis"],
};

/** The library, for the variable that an issuer of its app's names. */
const MAY_READ_ENV = ["main", "cli", "curfew"];

/** The folder or, at the top, the file that a source belongs to. */
const unitOf = (file: string) => file.split("/")[0] ?? file;

function violationsOf(sources: Source[]): string[] {
  return sources.flatMap(({ file, imports, readsEnv }) => [
    ...(unitOf(file) in MAY_IMPORT ? [] : [`${file} has no rule here`]),
    ...imports.filter((each) => !isAllowed(file, each)).map(({ target }) => `${file} → ${target}`),
    ...(readsEnv && !MAY_READ_ENV.includes(file) ? [`${file} → process.env`] : []),
  ]);
}

function isAllowed(file: string, { target, isFile, isType }: Import): boolean {
  const unit = unitOf(file);
  if (!isFile) return target !== "a computed name" && (ONLY_IN[target]?.includes(unit) ?? true);
  if (file.includes("/") && unitOf(target) === unit) return true;
  return (MAY_IMPORT[unit] ?? []).some((rule) => {
    const name = rule.replace("type ", "");
    return name === "*" || ([target, unitOf(target)].includes(name) && (isType || !rule.startsWith("type ")));
  });
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
    expect(files).toEqual(expect.arrayContaining(["main", "http/app", "denylist/denylist", "tokens/keys"]));
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
    ["sessions/sessions.ts", `import { createDenylist } from "../denylist/denylist";`, "denylist/denylist"],
    ["sessions/sessions.ts", `import { readSecret } from "../tokens/keys";`, "tokens/keys"],
    ["tokens/keys.ts", `import { type Redis, connectRedis } from "../redis/redis";`, "redis/redis"],
    ["accounts.ts", `import { createPasswords } from "./passwords";`, "passwords"],
    ["auth.ts", `import { originOf } from "./http/credentials";`, "http/credentials"],
    ["auth.ts", `import type { Config } from "./config";`, "config"],
    ["http/app.ts", `import { readConfig } from "../config";`, "config"],
    ["http/app.ts", `import { whole } from "../settings";`, "settings"],
    ["http/app.ts", `import "../main";`, "main"],
    ["http/app.ts", `export { readNodes } from "../redis/../settings";`, "settings"],
    ["redis/redis.ts", `const auth = await import("../auth");`, "auth"],
    ["errors.ts", `type Redis = import("./redis/redis").Redis;`, "redis/redis"],
    ["config.ts", `import { createAccessTokens } from "./tokens/access-tokens";`, "tokens/access-tokens"],
    ["auth.ts", `import type { Request } from "express";`, "express"],
    ["http/guard.ts", `import { verify } from "jsonwebtoken";`, "jsonwebtoken"],
    ["accounts.ts", `import argon2 = require("@node-rs/argon2");`, "@node-rs/argon2"],
    ["denylist/denylist.ts", `const { Redis } = require("ioredis");`, "ioredis"],
    ["sessions/sessions.ts", `import Memory from "ioredis-mock";`, "ioredis-mock"],
    ["auth.ts", `void import("node:" + "fs");`, "a computed name"],
    ["config.ts", `const port = process.env["PORT"];`, "process.env"],
    ["redis/redis.ts", `const { env } = process;`, "process.env"],
    ["http/app.ts", `const debug = process["env"].DEBUG;`, "process.env"],
  ])("refuses in %s: %s", (file, text, target) => {
    expect(violationsOf([readSource(file, text)])).toEqual([`${file.replace(".ts", "")} → ${target}`]);
  });

  it.each([
    ["main.ts", `import { readConfig } from "./config"; readConfig(process.env);`],
    ["http/app.ts", `import express from "express"; import type { Rates } from "../settings";`],
    ["http/app.ts", `import { guard } from "./guard"; import { readSecret } from "../tokens/keys";`],
    ["sessions/sessions.ts", `import { jtiKey } from "../denylist/entry";`],
    ["sessions/sessions.ts", `import { type RefreshToken } from "../tokens/refresh-tokens";`],
    ["auth.ts", `import { join } from "node:path"; process.exit(1); // process.env`],
  ])("allows in %s: %s", (file, text) => {
    expect(violationsOf([readSource(file, text)])).toEqual([]);
  });

  it("takes an import of process for a look at its environment", () => {
    expect(violationsOf([readSource("auth.ts", `import { env } from "node:process";`)])).toEqual([
      "auth → process.env",
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
