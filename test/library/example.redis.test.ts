import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WebSocket } from "ws";
import { call, expectRefusal, logout, PASSWORD, type Answer, type Tokens } from "../helpers/client";
import { startHost, useProject } from "../helpers/packed";
import { useRedis } from "../helpers/redis";
import { SECRET } from "../helpers/service";
import { use } from "../helpers/use";

/** `ended`: how it was closed, or why it never opened. */
type Socket = { welcome: Promise<unknown>; ended: Promise<string> };

const opened: WebSocket[] = [];
const redis = useRedis();
const project = useProject("express");
const env = () => ({ REDIS_URL: redis.url, JWT_SECRET: SECRET, PORT: "0" });
const useHost = () => use(() => startHost(project, "examples/websocket.mjs", {}, env()));
const hosts = [useHost(), useHost()] as const;
afterAll(() => {
  for (const socket of opened) socket.terminate();
});

async function signUp(url = hosts[0].url): Promise<Tokens> {
  const body = { email: `${String(process.hrtime.bigint())}@example.com`, password: PASSWORD };
  let answer: Answer;
  // These programs listen before Redis has answered.
  do answer = await call(url, "POST", "/api/auth/register", { body });
  while (answer.status === 503);
  return answer.body as Tokens;
}

/** Connects to the instance that the revocation doesn't come to. */
function connect({ access_token }: Tokens): Socket {
  const socket = new WebSocket(hosts[1].url.replace("http", "ws"), ["curfew", access_token]);
  opened.push(socket);
  const welcome = once(socket, "message");
  welcome.catch(() => undefined);
  const ended = new Promise<string>((resolve) => {
    socket.on("error", ({ message }) => {
      resolve(message);
    });
    socket.on("close", (code, reason) => {
      resolve(`${code} ${reason.toString()}`);
    });
  });
  return { welcome, ended };
}

it("closes the WebSocket of whoever logs out at another instance, and only that", async () => {
  const [ada, ben] = [await signUp(), await signUp()];
  const [adas, bens] = [connect(ada), connect(ben)];
  await Promise.all([adas.welcome, bens.welcome]);
  const startedAt = performance.now();
  await logout(hosts[0].url, ada.access_token);
  expect(await adas.ended).toBe("4401 token_revoked");
  expect(performance.now() - startedAt).toBeLessThan(1000);
  expect(await Promise.race([bens.ended, Promise.resolve("open")])).toBe("open");
  expect(await connect(ada).ended).toContain("401");
});

it("closes every WebSocket when the denylist is lost", async () => {
  const socket = connect(await signUp());
  await socket.welcome;
  await redis.admin.flushall();
  expect(await socket.ended).toBe("4401 token_revoked");
});

it.each(["README.md", "docs/library.md"])("the lines in %s do what it says", async (page) => {
  const [, snippet = ""] = /```js\n([\s\S]*?)```/.exec(readFileSync(page, "utf8")) ?? [];
  // By the time of the last line, Redis has answered.
  const untilUp = `while (await curfew.revoke({ jti: "up", exp: 1 }).catch(() => true)) await sleep(10);\n`;
  const program = `
    import express from "express";
    import { Redis } from "ioredis";
    import { setTimeout as sleep } from "node:timers/promises";
    const redis = new Redis(process.env.REDIS_URL);
    const app = express();
    const userId = "somebody";
    const sockets = { closeFor: () => undefined };
    const showReports = (_req, res) => res.json({});
    ${snippet.replace("await curfew", `${untilUp}await curfew`)}
    app.listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;
  writeFileSync(join(project.dir, "snippet.mjs"), program);
  const host = await startHost(project, "snippet.mjs", {}, { REDIS_URL: redis.url, JWT_SECRET: SECRET });
  const { access_token: token } = await signUp(host.url);
  expectRefusal(await call(host.url, "GET", "/reports", { token }), 403, "insufficient_role");
  await host.stop();
});
