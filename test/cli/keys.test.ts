import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPrivateKey } from "../../src/keys/keys";
import { curfew, type Ended } from "../helpers/command";
import { SECRET } from "../helpers/service";

type Listed = { kid: string; algorithm: string; state: string; added_at: string; needed_until: string };
type Entry = { secret?: string; private_key?: string; added_at?: string; needed_until?: string };

let dir: string;
let list: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "curfew-cli-"));
  list = join(dir, "keys.json");
  env = { JWT_SECRET: SECRET, JWT_VERIFY_KEYS_FILE: list };
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const keys = (...words: string[]) => curfew(["keys", ...words], env);
const entries = () => JSON.parse(readFileSync(list, "utf8")) as Entry[];
const listed = async () => JSON.parse((await keys("list", "--json")).stdout) as Listed[];
const modeOf = (file: string) => statSync(file).mode & 0o777;

/** Nothing that it prints tells a key. */
function expectNoKeyIn({ stdout, stderr }: Ended): void {
  expect(`${stdout}${stderr}`).not.toMatch(/PRIVATE KEY|kX9v2QpLr7/);
  for (const { secret } of entries()) if (secret !== undefined) expect(stdout + stderr).not.toContain(secret);
}

async function expectDone(...words: string[]): Promise<string> {
  const ended = await keys(...words);
  expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
  expectNoKeyIn(ended);
  return ended.stdout;
}

/** As if so much time had gone by since the files were written. */
function age(days: number): void {
  const earlier = (time: string) => new Date(Date.parse(time) - days * 86_400_000).toISOString();
  const aged = entries().map((entry) => ({
    ...entry,
    ...(entry.added_at && { added_at: earlier(entry.added_at) }),
    ...(entry.needed_until && { needed_until: earlier(entry.needed_until) }),
  }));
  writeFileSync(list, JSON.stringify(aged));
}

describe("the steps, as they are printed", () => {
  it("lead from a secret to a pair of keys, and the secret goes", async () => {
    const [first] = await listed();
    expect(first).toMatchObject({ algorithm: "HS256", state: "signs" });

    const added = await expectDone("add", "--es256");
    expect(added).toContain(list);
    expect(added).toContain("wait 5 minutes after the last restart");
    expect(modeOf(list)).toBe(0o600);
    const [, second] = await listed();
    expect(second).toMatchObject({ algorithm: "ES256", state: "next" });
    expect(await expectDone("list")).toMatch(
      /^KID +ALGORITHM +STATE\n\S+ +HS256 +signs\n\S+ +ES256 +next, added at /,
    );

    age(1);
    const promoted = await expectDone("promote");
    const file = join(dir, `jwt-${String(second?.kid)}.pem`);
    expect(promoted).toContain(
      `bring ${file} to every instance, as JWT_PRIVATE_KEY_FILE instead of JWT_SECRET`,
    );
    expect(modeOf(file)).toBe(0o600);
    expect(readPrivateKey(readFileSync(file, "utf8")).kid).toBe(second?.kid);
    expect(readdirSync(dir).sort()).toEqual([`jwt-${String(second?.kid)}.pem`, "keys.json"]);

    env = { JWT_PRIVATE_KEY_FILE: file, JWT_VERIFY_KEYS_FILE: list };
    expect((await listed()).map(({ kid, state }) => [kid, state])).toEqual([
      [second?.kid, "signs"],
      [first?.kid, "previous"],
    ]);
    const early = await keys("retire");
    expect(early).toMatchObject({ exitCode: 2, stdout: "" });
    expect(early.stderr).toContain(`${String(first?.kid)} is needed until `);

    age(31);
    expect(await expectDone("retire")).toContain(`${String(first?.kid)} is gone from ${list}`);
    expect((await listed()).map(({ kid }) => kid)).toEqual([second?.kid]);
    expect(readFileSync(list, "utf8")).not.toContain(SECRET);
  });

  it("lead from a secret to another: what is printed prints what JWT_SECRET is to be", async () => {
    await expectDone("add");
    age(1);
    const promoted = await expectDone("promote");
    const [, command = ""] = /set JWT_SECRET to what this prints: (.+)\n/.exec(promoted) ?? [];
    const secret = execFileSync("sh", ["-c", command], { encoding: "utf8" }).trimEnd();
    const [before] = await listed();
    env = { ...env, JWT_SECRET: secret };
    const [after, previous] = await listed();
    expect(after).toMatchObject({ state: "signs", algorithm: "HS256" });
    expect(previous).toMatchObject({ kid: before?.kid, state: "previous" });
  });

  it("lead from a pair to another in the same file, whose mode stays, and to a secret", async () => {
    await expectDone("add", "--rs256");
    age(1);
    await expectDone("promote");
    const file = join(dir, readdirSync(dir).find((name) => name.endsWith(".pem")) ?? "");
    chmodSync(file, 0o640);
    env = { JWT_PRIVATE_KEY_FILE: file, JWT_VERIFY_KEYS_FILE: list };
    await expectDone("add");
    age(1);
    expect(await expectDone("promote")).toContain(
      `bring ${file} to every instance, as JWT_PRIVATE_KEY_FILE;`,
    );
    expect((await listed()).map(({ algorithm, state }) => [algorithm, state])).toEqual([
      ["RS256", "signs"],
      ["RS256", "previous"],
      ["HS256", "previous"],
    ]);
    expect(modeOf(file)).toBe(0o640);
    await expectDone("add", "--hs256");
    age(1);
    expect(await expectDone("promote")).toContain(
      "set JWT_SECRET instead of JWT_PRIVATE_KEY_FILE to what this",
    );
  });

  it("take a kid, also one that begins with a hyphen", async () => {
    const secrets = Array.from({ length: 3 }, (_, at) => `${SECRET}${at}`);
    writeFileSync(
      list,
      JSON.stringify(secrets.map((secret) => ({ secret, needed_until: "2020-01-01T00:00:00Z" }))),
    );
    const [, , second, third] = await listed();
    await expectDone("retire", String(third?.kid));
    expect(await expectDone("promote", String(second?.kid))).toContain(
      `${String(second?.kid)} (HS256) is to sign`,
    );
    expect(entries()).toHaveLength(3);
    const missing = await keys("retire", "-Ab_cdefghijk");
    expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
    expect(missing.stderr).toContain('There is no key "-Ab_cdefghijk"');
  });

  it("take --force, where somebody knows better", async () => {
    await expectDone("add");
    const [signing, next] = await listed();
    expect((await keys("promote")).exitCode).toBe(2);
    await expectDone("promote", "--force");
    expect((await keys("retire", String(next?.kid))).exitCode).toBe(2);
    await expectDone("retire", String(next?.kid), "--force");
    expect((await keys("retire", String(signing?.kid), "--force")).exitCode).toBe(2);
  });
});

describe("exit codes", () => {
  it.each([[["promote"]], [["promote", "unknown"]], [["retire"]], [["retire", "unknown", "--force"]]])(
    "1: there is no such key: %j",
    async (words) => {
      expect(await keys(...words)).toMatchObject({ exitCode: 1, stdout: "" });
      expect(readdirSync(dir)).toEqual([]);
    },
  );

  it.each([
    [[]],
    [["keys"]],
    [["key", "list"]],
    [["constructor"]],
    [["keys", "constructor"]],
    [["keys", "rotate"]],
    [["keys", "list", "more"]],
    [["keys", "list", "--force"]],
    [["keys", "add", "--es256", "--rs256"]],
    [["keys", "add", "--es512"]],
    [["keys", "promote", "--froce"]],
    [["keys", "promote", "one", "two"]],
    [["keys", "retire", "--force"]],
  ])("2: misuse, and how it is used: %j", async (words) => {
    const ended = await curfew(words, env);
    expect(ended).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ended.stderr).toMatch(/^Usage:\n[^]* {2}curfew keys list/);
    expect(readdirSync(dir)).toEqual([]);
  });

  it.each([[["help"]], [["--help"]]])("0: asked how it is used: %j", async (words) => {
    const { exitCode, stdout } = await curfew(words);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Usage:\n[^]* {2}curfew keys list/);
  });

  it.each<[string, NodeJS.ProcessEnv]>([
    ["JWT_SECRET", { JWT_SECRET: "" }],
    ["JWT_SECRET", { JWT_SECRET: "hunter2" }],
    ["JWT_PRIVATE_KEY_FILE", { JWT_SECRET: "", JWT_PRIVATE_KEY_FILE: "/missing.pem" }],
    ["JWT_VERIFY_KEYS_FILE", { JWT_VERIFY_KEYS_FILE: "" }],
    ["JWT_VERIFY_KEYS_FILE", { JWT_VERIFY_KEYS_FILE: "." }],
    ["REFRESH_TTL", { REFRESH_TTL: "30" }],
  ])("78: %s won't do: %j", async (name, wrong) => {
    const ended = await curfew(["keys", "add"], { ...env, ...wrong });
    expect(ended).toMatchObject({ exitCode: 78, stdout: "" });
    expect(ended.stderr).toMatch(
      new RegExp(`^The keys can't be changed with this configuration\\.\n${name}: .+\n$`),
    );
    expect(ended.stderr).not.toContain("hunter2");
  });

  it("78: the list is broken, and stays as it is", async () => {
    writeFileSync(list, '[{"secret":"hunter2"}]');
    const ended = await keys("add");
    expect(ended).toMatchObject({ exitCode: 78, stdout: "" });
    expect(ended.stderr).toContain("JWT_VERIFY_KEYS_FILE: [0].secret: it is 7 bytes long");
    expect(readFileSync(list, "utf8")).toBe('[{"secret":"hunter2"}]');
  });

  it("78: the list can't be written", async () => {
    env = { ...env, JWT_VERIFY_KEYS_FILE: join(dir, "missing", "keys.json") };
    const ended = await keys("add");
    expect(ended).toMatchObject({ exitCode: 78, stdout: "" });
    expect(ended.stderr).toMatch(/^A file of keys can't be written\. ENOENT/);
  });
});

it("is a command of the package", () => {
  const { bin } = JSON.parse(readFileSync("package.json", "utf8")) as { bin: Record<string, string> };
  expect(bin).toEqual({ curfew: "dist/cli.js" });
  expect(readFileSync("dist/cli.js", "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
});
