import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAclRules } from "../helpers/redis";
import { startService } from "../helpers/service";

const README = readFileSync("README.md", "utf8");

/** The lines of a README example, and after each what it prints, where `…` stands for anything. */
function readSession(): { script: string; prints: RegExp[] } {
  const lines = [...README.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    (block ?? "").split("\n"),
  );
  const expected = lines.filter((line) => line.startsWith("# ")).map((line) => line.slice(2));
  return {
    script: lines.filter((line) => !line.startsWith("#")).join("\n"),
    prints: expected.map(
      (line) => new RegExp(`^${line.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/…/g, ".+")}$`),
    ),
  };
}

it("the session from register to refused, and the look into Redis, go as the README says", async () => {
  const dir = mkdtempSync(join(tmpdir(), "curfew-readme-"));
  const service = await startService({ JWT_SECRET: "" }, dir);
  try {
    const { script, prints } = readSession();
    // Each curl's answer on a line of its own.
    const here = script
      .replaceAll("localhost:3000", service.url.replace("http://", ""))
      .replaceAll("curl -s", "curl -sw '\\n'");
    const printed = execFileSync("sh", ["-euc", here], { cwd: dir, encoding: "utf8" }).trim().split("\n");
    expect(prints.length).toBeGreaterThan(4);
    expect(printed).toHaveLength(prints.length);
    for (const [at, line] of printed.entries()) expect(line).toMatch(prints[at] ?? /^$/);
    expect(Number(printed.at(-1))).toBeGreaterThan(800);
  } finally {
    await service.stop();
    rmSync(dir, { recursive: true });
  }
});

it("gives the ACL line that the compose file and the tests' own Redis use", () => {
  expect(README).toContain(`resetchannels ${readAclRules()}`);
});
