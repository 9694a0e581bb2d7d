import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { register } from "../helpers/client";
import { becomeOps } from "../helpers/ops-user";
import { readAclRules } from "../helpers/redis";
import { startService, type TestService } from "../helpers/service";

const readPage = (name: string) => readFileSync(name, "utf8");

/** What the examples of a page have a shell do. */
const blocksOf = (page: string) =>
  [...readPage(page).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? "");

/** The lines of examples, and after each what it prints, where `…` stands for anything. */
function readSession(blocks: string[]): { script: string; prints: RegExp[] } {
  const lines = blocks.flatMap((block) => block.split("\n"));
  const expected = lines.filter((line) => line.startsWith("# ")).map((line) => line.slice(2));
  return {
    script: lines.filter((line) => !line.startsWith("#")).join("\n"),
    prints: expected.map(
      (line) => new RegExp(`^${line.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/…/g, ".+")}$`),
    ),
  };
}

let dir: string;
let service: TestService | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "curfew-pages-"));
});
afterEach(async () => {
  await service?.stop();
  rmSync(dir, { recursive: true });
});

/** Runs a page's lines against the service; each curl's answer gets a line of its own. */
function runInShell(script: string, env: NodeJS.ProcessEnv = {}): string[] {
  const here = script
    .replaceAll("localhost:3000", service?.url.replace("http://", "") ?? "")
    .replaceAll(/curl (-s)?/g, "curl -sw '\\n' ");
  const options = { cwd: dir, encoding: "utf8", env: { ...process.env, ...env } } as const;
  return execFileSync("sh", ["-euc", here], options).trim().split("\n");
}

it("the session from register to refused, and the look into Redis, go as the README and ops.md say", async () => {
  service = await startService({ JWT_SECRET: "" }, dir);
  const { script, prints } = readSession([...blocksOf("README.md"), ...blocksOf("docs/ops.md")]);
  const admin = new Redis(join(dir, ".data/redis/redis.sock"));
  const { access_token: OPS } = await becomeOps(service.url, { admin });
  admin.disconnect();
  const printed = runInShell(script, { OPS });
  expect(prints.length).toBeGreaterThan(4);
  expect(printed).toHaveLength(prints.length);
  for (const [at, line] of printed.entries()) expect(line).toMatch(prints[at] ?? /^$/);
  const ttls = printed.filter((line) => /^\d+$/.test(line));
  expect(ttls.map((ttl) => Number(ttl) > 800)).toEqual([true]);
});

it("a client is registered, asks and revokes as services.md says", async () => {
  const [makeSecret = "", askAndRevoke = ""] = blocksOf("docs/services.md");
  const [, entry = ""] = /```json\n([\s\S]*?)```/.exec(readPage("docs/services.md")) ?? [];
  const [hash = "", secret = ""] = runInShell(`${makeSecret}\necho "$SECRET"`);
  const file = join(dir, "clients.json");
  writeFileSync(file, entry.replace("…", hash.replace(/ .*/, "")));
  service = await startService({ OAUTH_CLIENTS_FILE: file }, dir);
  const { access_token: token } = await register(service.url);
  const env = { SECRET: secret, TOKEN: token };
  expect(runInShell(askAndRevoke, env)[0]).toMatch(/^\{"active":true,/);
  expect(runInShell(askAndRevoke, env)[0]).toBe('{"active":false}');
});

it("ops.md has the ACL line that the compose file and the tests' own Redis use", () => {
  expect(readPage("docs/ops.md")).toContain(`resetchannels ${readAclRules()}`);
});
