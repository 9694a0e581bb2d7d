import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { eventually, logout, me, register } from "../helpers/client";
import { startService, type TestService } from "../helpers/service";

const PAGE = readFileSync("docs/ops.md", "utf8");

type Said = { command: string; prints: RegExp };

/** What somebody types below a heading, and what it prints: `…` is any text, and by itself any lines. */
function sessionsUnder(heading: string): Said[] {
  const section = PAGE.slice(PAGE.indexOf(`\n${heading}\n`) + heading.length).split(/\n##+ /)[0] ?? "";
  const blocks = [...section.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
  return blocks
    .flatMap((block) => block.split(/^\$ /m).slice(1))
    .map((said) => {
      const [command = "", ...printed] = said.split("\n");
      return { command, prints: new RegExp(`^${printed.slice(0, -1).map(patternOf).join("")}$`) };
    });
}

const patternOf = (line: string) =>
  line.trim() === "…" ? "(?:.*\n)+" : `${line.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/…/g, ".+")}\n`;

let dir: string;
let service: TestService;
let admin: Redis;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "curfew-pages-"));
  service = await startService({ JWT_SECRET: "" }, dir);
  admin = new Redis(join(dir, ".data/redis/redis.sock"));
});
afterEach(async () => {
  admin.disconnect();
  await service.stop();
  rmSync(dir, { recursive: true });
});

/** A session starts a process for each of its lines, one after the other. */
const TIMEOUT_MS = 120_000;

const MARK = "--- what the next one prints ---";

/** Runs a session in the service's folder, in one shell, as somebody who follows the page would. */
async function expectAsWritten(session: Said[], env: NodeJS.ProcessEnv): Promise<void> {
  const curfew = `curfew() { ${process.execPath} ${process.cwd()}/dist/cli.js "$@"; }`;
  const script = session.flatMap(({ command }) => [`echo '${MARK}'`, command]).join("\n");
  const options = { cwd: dir, env: { PATH: process.env["PATH"], ...env } };
  const { stdout } = await promisify(execFile)("sh", ["-euc", `${curfew}\n${script}`], options);
  const answers = stdout.split(`${MARK}\n`).slice(1);
  expect(answers).toHaveLength(session.length);
  for (const [at, { prints }] of session.entries()) expect(answers[at]).toMatch(prints);
}

async function logOutAda() {
  const { access_token } = await register(service.url, "ada@example.com");
  await logout(service.url, access_token);
  const payload = Buffer.from(access_token.split(".")[1] ?? "", "base64url").toString();
  return { access_token, jti: (JSON.parse(payload) as { jti: string }).jti };
}

it(
  "who revoked a token is found with curfew as ops.md says, and it is lifted and revoked again",
  async () => {
    const session = sessionsUnder("## The command");
    expect(session.length).toBeGreaterThan(9);
    const { access_token } = await logOutAda();
    writeFileSync(join(dir, "token.txt"), `Bearer ${access_token}\n`);
    await expectAsWritten(session, {});
    expect((await me(service.url, access_token)).status).toBe(401);
  },
  TIMEOUT_MS,
);

it(
  "the same is found and done with redis-cli alone",
  async () => {
    const session = sessionsUnder("### With `redis-cli` alone");
    expect(session.length).toBeGreaterThan(12);
    const { access_token, jti } = await logOutAda();
    await me(service.url, access_token);
    await eventually(async () => (await admin.exists(`curfew:uses:jti:${jti}`)) === 1);
    await expectAsWritten(session, { JTI: jti, OTHER_JTI: randomUUID() });
  },
  TIMEOUT_MS,
);
