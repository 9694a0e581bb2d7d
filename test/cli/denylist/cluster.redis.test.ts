import { startCluster } from "../../helpers/cluster";
import { curfew } from "../../helpers/command";
import { eventually, expectRefusal, logout, me, register } from "../../helpers/client";
import { useService } from "../../helpers/service";
import { use } from "../../helpers/use";

const cluster = use(() => startCluster(), 120_000);
const env = () => ({ REDIS_URL: cluster.url, REDIS_MODE: "cluster" });
const service = useService(env);
const run = (...words: string[]) => curfew(words, env());

it("finds, explains, revokes and lifts in every shard", async () => {
  await eventually(async () => (await fetch(`${service.url}/readyz`)).status === 200);
  const { access_token, user } = await register(service.url);
  const payload = Buffer.from(access_token.split(".")[1] ?? "", "base64url").toString();
  const { jti, sid } = JSON.parse(payload) as { jti: string; sid: string };
  expect((await run("revoke", "--jti", jti, "--reason", "x")).exitCode).toBe(0);
  expectRefusal(await me(service.url, access_token), 401, "token_revoked");
  expect((await run("show", jti)).stdout).toMatch(new RegExp(`^token ${jti}\n`));
  expect((await run("lift", "token", jti)).exitCode).toBe(0);
  expect((await me(service.url, access_token)).status).toBe(200);
  await logout(service.url, access_token);
  expect((await run("why", jti)).stdout).toMatch(/^Dead: [^]*\nsid {2}/);
  const listed = await run("revoked", "--user", user.id, "--json");
  const ids = listed.stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { id: string }).id);
  expect(ids.sort()).toEqual([jti, sid].sort());
  expect((await run("status")).stdout.match(/^curfew:\{s\d\d\}: +since/gm)).toHaveLength(16);
}, 120_000);
