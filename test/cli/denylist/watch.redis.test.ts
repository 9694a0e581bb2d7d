import { spawn } from "node:child_process";
import { once } from "node:events";
import { eventually, logout, register } from "../../helpers/client";
import { untilTestsEnd } from "../../helpers/processes";
import { useRedis } from "../../helpers/redis";
import { useService } from "../../helpers/service";

const redis = useRedis(["--appendonly yes", "--appendfsync always"]);
const service = useService(() => ({ REDIS_URL: redis.url }));

/** `curfew watch`, and what it has said so far. */
function startWatch(...words: string[]) {
  const child = untilTestsEnd(
    spawn(process.execPath, ["dist/cli.js", "watch", ...words], {
      env: { PATH: process.env["PATH"], REDIS_URL: redis.url },
    }),
  );
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.stderr += chunk.toString()));
  const exited = once(child, "exit");
  return {
    said,
    untilSaid: (text: string, by: keyof typeof said = "stdout") =>
      eventually(() => Promise.resolve(said[by].includes(text))),
    async interrupt() {
      child.kill("SIGINT");
      const [exitCode] = (await exited) as [number | null];
      return exitCode;
    },
  };
}

async function logOutSomebody() {
  const { access_token, user } = await register(service.url);
  expect((await logout(service.url, access_token)).status).toBe(200);
  return user.id;
}

it("tells every event once from the start, then what happens, a line each, until Ctrl-C", async () => {
  const before = await logOutSomebody();
  const watch = startWatch("--from-start");
  await watch.untilSaid(before);
  const after = await logOutSomebody();
  await watch.untilSaid(after);
  expect(await watch.interrupt()).toBe(130);
  const lines = watch.said.stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^20\S+Z {2}denylist_began$/);
  const told = lines.filter((line) => line.includes("logout"));
  expect(told).toHaveLength(2);
  expect(told[1]).toMatch(
    new RegExp(`^20\\S+Z {2}logout +user ${after} {2}session \\S+ {2}token \\S+ {2}from \\S+ {2}node$`),
  );
  expect(watch.said.stderr).toBe("");
});

it("tells only what happens from now on", async () => {
  const before = await logOutSomebody();
  const watch = startWatch();
  await eventually(async () => {
    await redis.admin.xadd("curfew:events", "*", "event", "logout", "sub", "somebody");
    return watch.said.stdout.includes("user somebody");
  });
  await watch.interrupt();
  expect(watch.said.stdout).not.toContain(before);
});

it("goes on where it was once Redis is back, and says both", async () => {
  const first = await logOutSomebody();
  const watch = startWatch("--json", "--from-start");
  await watch.untilSaid(first);
  await redis.kill();
  await watch.untilSaid("Redis can't be reached", "stderr");
  await redis.start();
  await eventually(async () => (await fetch(`${service.url}/readyz`)).status === 200);
  const second = await logOutSomebody();
  await watch.untilSaid(second);
  expect(watch.said.stderr).toMatch(/^Redis can't be reached: .+\. Waiting for it\.\nRedis is back\.\n$/);
  expect(await watch.interrupt()).toBe(130);
  const events = watch.said.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: string; sub: string | null });
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  expect(events.at(-1)).toMatchObject({ event: "logout", sub: second });
});

it("shows of a stranger's words no more than text", async () => {
  const watch = startWatch("--from-start");
  const hostile = "Evil\u001B[2J\r\n\u202E\u2028gnp.exe the end";
  await redis.admin.xadd("curfew:events", "*", "event", "logout", "user_agent", hostile);
  await watch.untilSaid("the end\n");
  await watch.interrupt();
  expect(watch.said.stdout).toContain("Evil\uFFFD[2J\uFFFD\uFFFD\uFFFD\uFFFDgnp.exe the end\n");
});
