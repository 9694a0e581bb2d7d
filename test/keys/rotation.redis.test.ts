import { createPublicKey, type JsonWebKey } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verify as verifySignature } from "jsonwebtoken";
import {
  call,
  eventually,
  expectRefusal,
  logout,
  me,
  refresh,
  register,
  type Tokens,
} from "../helpers/client";
import { curfew } from "../helpers/command";
import { startFleet } from "../helpers/fleet";
import { decodePart } from "../helpers/jws";
import { startLoad } from "../helpers/load";
import { useRedis } from "../helpers/redis";
import { SECRET } from "../helpers/service";
import { use } from "../helpers/use";

const [USERS, WEEKS_MS] = [4, 35 * 86_400_000];

let dir: string;
let list: string;
/** Where the keys are, as the instances and the command are told. */
let keySettings: NodeJS.ProcessEnv;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "curfew-rotation-"));
  list = join(dir, "keys.json");
  keySettings = { JWT_SECRET: SECRET };
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});
const redis = useRedis();
const fleet = use(() => startFleet(env()));

const env = () => ({
  REDIS_URL: redis.url,
  SHUTDOWN_GRACE_MS: "2000",
  LOG_LEVEL: "info",
  JWT_SECRET: "",
  ...keySettings,
});
const urls = () => fleet.instances.map(({ url }) => url);
const anyUrl = () => urls()[0] ?? "";
const kidOf = ({ access_token }: Tokens) => String(decodePart(access_token, 0)["kid"]);
const refreshKidOf = ({ refresh_token }: Tokens) => String(decodePart(refresh_token, 0)["kid"]);

async function step(...words: string[]): Promise<string> {
  const ended = await curfew(["keys", ...words], { JWT_VERIFY_KEYS_FILE: list, ...keySettings });
  expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
  return ended.stdout;
}

/** As if the weeks had gone by that the steps ask for. */
function letTimePass(): void {
  const earlier = (_all: string, time: string) => `"${new Date(Date.parse(time) - WEEKS_MS).toISOString()}"`;
  writeFileSync(list, readFileSync(list, "utf8").replace(/"(20\d\d-[^"]+Z)"/g, earlier));
}

async function publishedBy(url: string) {
  const answer = await call(url, "GET", "/.well-known/jwks.json");
  expect(answer.status).toBe(200);
  return { headers: answer.headers, ...(answer.body as { keys: (JsonWebKey & { kid: string })[] }) };
}

/** Users of one age: some who stay, some who log out, and a refresh token that nobody uses until a given step. */
type Age = { kid: string; staying: Tokens[]; out: Tokens[]; sleeping: Tokens[] };

async function openAge(): Promise<Age> {
  const registered = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, at) => register(urls()[at % 3] ?? "")));
  const [staying, out, sleeping] = [await registered(2), await registered(2), await registered(4)];
  for (const { access_token: token } of out) {
    expect((await logout(anyUrl(), token)).status).toBe(200);
  }
  const [kid, ...others] = new Set(
    [...staying, ...out, ...sleeping].flatMap((each) => [kidOf(each), refreshKidOf(each)]),
  );
  expect(others).toEqual([]);
  return { kid: kid ?? "", staying, out, sleeping };
}

/** Every instance lets in who stayed, and nobody who left; somebody wakes up and refreshes. */
async function expectRight({ staying, out, sleeping }: Age, signs: string): Promise<void> {
  for (const url of urls()) {
    for (const { access_token } of staying) expect((await me(url, access_token)).status).toBe(200);
    for (const { access_token, refresh_token } of out) {
      expectRefusal(await me(url, access_token), 401, "token_revoked");
      expectRefusal(await refresh(url, refresh_token), 401, "refresh_token_invalid");
    }
  }
  const woken = await refresh(anyUrl(), sleeping.pop()?.refresh_token ?? "");
  expect(woken.status).toBe(200);
  expect([kidOf(woken.body as Tokens), refreshKidOf(woken.body as Tokens)]).toEqual([signs, signs]);
}

/** After its key is gone, all of it is forged, on every instance. */
async function expectGone({ staying, out, sleeping }: Age): Promise<void> {
  for (const url of urls()) {
    for (const { access_token, refresh_token } of [...staying, ...out, ...sleeping]) {
      expectRefusal(await me(url, access_token), 401, "token_invalid");
      expectRefusal(await refresh(url, refresh_token), 401, "refresh_token_invalid");
    }
  }
}

describe("three instances, restarted one by one in each step, under load", () => {
  it("change from HS256 to ES256 and on to another key without one wrong answer", async () => {
    const first = await openAge();
    const users = await Promise.all(Array.from({ length: USERS }, () => register(anyUrl())));
    const load = startLoad(fleet.balancer, users);
    const untilAllHold = (kid: string) =>
      eventually(() =>
        Promise.resolve(
          load.wrong.length > 0 ||
            load.users.every((each) => kidOf(each) === kid && refreshKidOf(each) === kid),
        ),
      );
    const restart = async (settings: NodeJS.ProcessEnv) => {
      keySettings = settings;
      await fleet.restart(env());
      expect(load.wrong).toEqual([]);
    };
    expect((await publishedBy(anyUrl())).keys).toEqual([]);

    // A second key verifies.
    await step("add", "--es256");
    await restart({ JWT_SECRET: SECRET, JWT_VERIFY_KEYS_FILE: list });
    await expectRight(first, first.kid);

    // It signs.
    letTimePass();
    await step("promote");
    const pem = join(dir, readdirSync(dir).find((name) => name.endsWith(".pem")) ?? "");
    await restart({ JWT_PRIVATE_KEY_FILE: pem, JWT_VERIFY_KEYS_FILE: list });
    const second = await openAge();
    expect(second.kid).not.toBe(first.kid);
    await expectRight(first, second.kid);
    await expectRight(second, second.kid);

    // The first one goes, and a third one comes.
    await untilAllHold(second.kid);
    letTimePass();
    await step("retire");
    await step("add");
    await restart(keySettings);
    await expectGone(first);
    await expectRight(second, second.kid);

    // It signs from the same file.
    letTimePass();
    await step("promote");
    await restart(keySettings);
    const third = await openAge();
    expect(new Set([first.kid, second.kid, third.kid]).size).toBe(3);
    await expectRight(second, third.kid);
    await expectRight(third, third.kid);

    await untilAllHold(third.kid);
    letTimePass();
    await step("retire");
    await restart(keySettings);
    await expectGone(second);
    await expectRight(third, third.kid);

    await load.stop();
    expect(load.wrong).toEqual([]);
  }, 180_000);
});

describe("/.well-known/jwks.json", () => {
  it("gives what anybody needs to verify our tokens, the same from every instance, and nothing private", async () => {
    await step("add", "--rs256");
    await fleet.restart(env());
    const sets = await Promise.all(urls().map(publishedBy));
    for (const { headers, keys } of sets) {
      expect(headers.get("cache-control")).toBe("public, max-age=300");
      expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(keys).toEqual(sets[0]?.keys);
      expect(keys.map(({ kty, alg, use }) => [kty, alg, use])).toEqual([
        ["EC", "ES256", "sig"],
        ["RSA", "RS256", "sig"],
      ]);
      for (const name of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]) {
        for (const key of keys) expect(key).not.toHaveProperty(name);
      }
    }
    const { access_token } = await register(anyUrl());
    const jwk = sets[0]?.keys.find(({ kid }) => kid === decodePart(access_token, 0)["kid"]) ?? {};
    const publicKey = createPublicKey({ key: jwk, format: "jwk" });
    expect(verifySignature(access_token, publicKey, { algorithms: ["ES256"] })).toMatchObject({
      iss: "curfew",
    });
  }, 60_000);

  it("is what the log tells of an instance when it starts", () => {
    for (const { log } of fleet.instances) {
      const line = log.find((each) => each.includes('"msg":"keys"')) ?? "{}";
      const { signs, verify } = JSON.parse(line) as { signs: string; verify: string[] };
      expect(verify[0]).toBe(signs);
      expect(verify).toHaveLength(2);
    }
  });
});
