import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { useProject } from "../helpers/packed";

const project = useProject("express");

const NAMES = ["CurfewError", "createCurfew", "isEndedBy"];

it("gives the same names to import and to require", () => {
  const imports = `import * as all from "curfew"; import { ${NAMES.join()} } from "curfew"; console.log(Object.keys(all).sort().join())`;
  expect(project.run("--input-type=module", "-e", imports)).toContain(
    "CurfewError,__esModule,createCurfew,default,isEndedBy",
  );
  expect(project.run("-p", `Object.keys(require("curfew")).sort().join()`).trim()).toBe(NAMES.join());
});

it("gives the client for browsers to import, in types and in one module", () => {
  const imports = `import * as all from "curfew/browser"; console.log(Object.keys(all).join())`;
  expect(project.run("--input-type=module", "-e", imports).trim()).toBe("createClient");
});

it("says of nothing else where it is", () => {
  const hidden = `try { require("curfew/dist/parts") } catch ({ code }) { console.log(code) }`;
  expect(project.run("-e", hidden).trim()).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED");
  expect(project.run("-p", `require("curfew/package.json").name`).trim()).toBe("curfew");
});

it("does nothing when it is imported that Express and ioredis don't: no timer, no connection, no look at the environment", () => {
  writeFileSync(
    join(project.dir, "import.cjs"),
    `const reads = [];
     process.env = new Proxy(process.env, {
       get(env, name) {
         if (/curfew.dist/.test(new Error().stack.split("\\n")[2])) reads.push(name);
         return env[name];
       },
     });
     require("express");
     require("ioredis");
     const before = process.getActiveResourcesInfo().length;
     require("curfew");
     const begun = process.getActiveResourcesInfo().slice(before);
     process.stdout.write(JSON.stringify({ begun, reads, loaded: Object.keys(require.cache).filter((file) => /ioredis-mock|prom-client/.test(file)) }));`,
  );
  expect(JSON.parse(project.run("import.cjs"))).toEqual({ begun: [], reads: [], loaded: [] });
});

const APP = `
import express from "express";
import { Cluster, Redis } from "ioredis";
import pino from "pino";
import { createCurfew, CurfewError, isEndedBy, type Accounts, type Claims, type SessionTokens } from "curfew";

import { createClient, type Failure, type SignedOut } from "curfew/browser";

const client = createClient({ transport: "cookie", origins: ["https://api.example"] });
export const left = client.onSignedOut(({ reason, here }: SignedOut) => { console.log(reason, here); });
export const out: Promise<Failure | void> = client.logout({ allDevices: true }).catch((error: Failure) => error);
export const got: Promise<Response> = client.fetch("/reports", { method: "POST" });
// @ts-expect-error -- an option that isn't known
createClient({ tokens: "" });

declare const accounts: Accounts;
const redis = Math.random() < 0.5 ? new Redis() : new Cluster([]);
const curfew = createCurfew({
  redis,
  keys: { secret: process.env["JWT_SECRET"] ?? "", verify: [{ privateKey: "" }] },
  prefix: process.env["PREFIX"],
  accounts,
  log: pino(),
  issuers: [{ name: "clerk", issuer: "https://x", jwks_uri: "https://x", audience: null, algorithms: ["RS256"] }],
});
createCurfew({ redis: "redis://x", keys: { secret: "" }, log: console, rateLimits: { login: "10/m" } });

const app = express();
app.use("/api/auth", curfew.routes({ answerLogoutWith: "no-content" }));
app.get("/reports/:id", curfew.requireToken({ role: "analyst" }), (req, res) => {
  const id: string = req.params.id;
  const claims: Claims | undefined = req.auth;
  res.json({ id, sub: claims?.sub, subject: req.auth.subject });
});
app.use(curfew.requireToken());
app.use((req, res) => { res.json(req.auth.subject); });
app.post("/passkey", async (req, res) => {
  const tokens: SessionTokens = await curfew.openSession(req, res, { id: "ada", roles: ["analyst"], transport: "cookie" });
  res.json(tokens);
});
const stop: () => void = curfew.onRevoked((revocation) => {
  if (revocation.kind !== "everything") console.log(revocation.sub, revocation.sid, revocation.reason);
});
export async function end(claims: Claims) {
  stop();
  console.log(isEndedBy(claims, { kind: "everything", at: "" }), new CurfewError("email_taken").code);
  await curfew.revoke({ jti: claims.jti, exp: claims.exp, reason: "logout", note: "why" });
  await curfew.revokeUser({ issuer: "clerk", sub: "x" }, { reason: "session_ended" });
  await curfew.close();
}

// @ts-expect-error -- there is no key without accounts
createCurfew({ redis, accounts: false, keys: { secret: "" } });
// @ts-expect-error -- with accounts, there must be one
createCurfew({ redis });
// @ts-expect-error -- an option that isn't known
createCurfew({ redis, keys: { secret: "" }, secret: "" });
// @ts-expect-error -- a role may not be undefined
curfew.requireToken({ role: process.env["ROLE"] });
// @ts-expect-error -- it is for ops
curfew.revokeUser("id", { reason: "revoked_by_ops" });
`;

/** Compiles a program of the project's, the types of all packages included; returns what is wrong. */
function compile(file: string, text: string): string {
  writeFileSync(join(project.dir, file), text);
  const options = [
    ...["--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "false", "--noEmit", "--types", "node"],
    ...["--module", "nodenext", "--target", "es2023", "--lib", "es2023"],
  ];
  const tsc = [resolve("node_modules/typescript/bin/tsc"), ...options, file];
  return spawnSync(process.execPath, tsc, { cwd: project.dir, encoding: "utf8" }).stdout;
}

function link(...names: string[]): void {
  for (const name of names) {
    mkdirSync(join(project.dir, "node_modules/@types"), { recursive: true });
    symlinkSync(resolve("node_modules", name), join(project.dir, "node_modules", name));
  }
}

it("has types that need nothing which isn't there, checked in full", () => {
  link("@types/node", "@types/express");
  expect(compile("app.ts", APP)).toBe("");
});

const BESIDE = `
import express, { Router } from "express";
import { auth as otherGuard } from "express-oauth2-jwt-bearer";
import { createCurfew, type Claims, type Guarded } from "curfew";

const curfew = createCurfew({ redis: "memory://", accounts: false });
const app = express();
app.use("/other", otherGuard(), (req, res) => { res.json(req.auth?.payload.sub); });
app.get("/mine/:id", curfew.requireToken(), (req, res) => {
  const claims: Claims = req.auth;
  const id: string = req.params.id;
  res.json({ id, subject: req.auth.subject.length, kind: req.auth.kind === "own", ip: req.ip, agent: req.get("user-agent"), claims });
  // @ts-expect-error -- what the other package puts there
  res.json(req.auth.payload);
});
Router().post("/mine", curfew.requireToken({ role: "analyst" }), express.json(), (req: Guarded<express.Request>, res: express.Response) => {
  res.json(req.auth.subject);
});
`;

it("says that req.auth is there behind the guard, beside a package that declares another one", () => {
  link("@types/express-serve-static-core", "express-oauth2-jwt-bearer");
  expect(compile("beside.ts", BESIDE)).toBe("");
});
