import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createShards } from "../../src/redis/shards";
import { call, logout, me, register, type Tokens } from "../helpers/client";
import { keySigner, vary } from "../helpers/jws";
import { findPython } from "../helpers/python";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";

const PAGE = readFileSync("docs/other-languages.md", "utf8");

const ASK = `
import sys
sys.path.insert(0, "docs/examples")
import jwt
from check import check
try:
    print(check(sys.argv[1])["sub"])
except jwt.InvalidTokenError:
    print("401")
except Exception as error:
    print("503", type(error).__name__)
`;

const { privateKey: pem } = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const signer = keySigner(createPrivateKey(pem));

let python: string;
let dir: string;
let tokens: Tokens;
let env: NodeJS.ProcessEnv;

beforeAll(() => {
  python = findPython();
  dir = mkdtempSync(join(tmpdir(), "curfew-python-"));
  writeFileSync(join(dir, "key.pem"), pem, { mode: 0o600 });
  writeFileSync(join(dir, "public.pem"), createPublicKey(pem).export({ type: "spki", format: "pem" }));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});
const redis = useRedis();
const service = useService(() => ({
  REDIS_URL: redis.url,
  JWT_SECRET: "",
  JWT_PRIVATE_KEY_FILE: join(dir, "key.pem"),
}));
beforeAll(async () => {
  env = { CURFEW_PUBLIC_KEY_FILE: join(dir, "public.pem"), REDIS_URL: await addReader() };
});

/** The user that the page describes, which may do no more than that. */
async function addReader(): Promise<string> {
  const [, rules = ""] = /^user reader on >PASSWORD (.+)$/m.exec(PAGE) ?? [];
  await redis.admin.call("ACL", "SETUSER", "reader", "on", ">only-for-tests", ...rules.split(" "));
  return `redis://reader:only-for-tests@127.0.0.1:${redis.port}`;
}

/** Whose the example takes a token to be, or how it refuses it. */
const check = (token: string) =>
  execFileSync(python, ["-B", "-c", ASK, token], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  }).trim();

describe("the example in Python", () => {
  beforeEach(async () => {
    tokens = await register(service.url);
  });

  it("accepts what Curfew accepts", async () => {
    const { access_token: token, user } = tokens;
    expect(check(token)).toBe(user.id);
    const early = vary(token, signer, { claims: { iat: Math.floor(Date.now() / 1000) + 20 } });
    expect((await me(service.url, early)).status).toBe(200);
    expect(check(early)).toBe(user.id);
  });

  it("refuses a token after logout, and what else its session had", async () => {
    const { access_token: token, refresh_token } = tokens;
    const answer = await call(service.url, "POST", "/api/auth/refresh", { body: { refresh_token } });
    const { access_token: later } = answer.body as Tokens;
    expect(check(later)).toBe(tokens.user.id);
    expect((await logout(service.url, token)).status).toBe(200);
    expect([check(token), check(later)]).toEqual(["401", "401"]);
  });

  it("refuses a token that somebody denied by hand", async () => {
    const token = vary(tokens.access_token, signer, { claims: { jti: "by-hand" } });
    expect(check(token)).toBe(tokens.user.id);
    await redis.admin.set("curfew:denylist:jti:by-hand", "why", "EX", 900);
    expect(check(token)).toBe("401");
  });

  it("refuses what isn't one of Curfew's access tokens, and asks nothing of Redis for it", async () => {
    const { access_token: token } = tokens;
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const over = { iat: 1_700_000_000, exp: 1_700_000_900 };
    await redis.admin.config("RESETSTAT");
    const answers = [
      vary(token, keySigner(stranger), {}),
      vary(token, "a secret", { header: { alg: "HS256" } }),
      vary(token, () => "", { header: { alg: "none" } }),
      vary(token, signer, { header: { typ: "JWT" } }),
      vary(token, signer, { claims: { iss: "somebody else" } }),
      vary(token, signer, { claims: { aud: "somebody else" } }),
      vary(token, signer, { claims: { epoch: undefined } }),
      vary(token, signer, { claims: over }),
      "x",
    ].map(check);
    expect(new Set(answers)).toEqual(new Set(["401"]));
    expect(await redis.admin.info("commandstats")).not.toContain("cmdstat_exists");
  });

  it("refuses a token when Redis was emptied, at once and afterwards", async () => {
    const { access_token: token } = tokens;
    expect(check(token)).toBe(tokens.user.id);
    await redis.admin.flushall();
    expect(check(token)).toBe("401");
    const { access_token: later, user } = await register(service.url);
    expect([check(token), check(later)]).toEqual(["401", user.id]);
  });

  it("says nothing of the token when Redis can't answer rightly, hangs or is down", async () => {
    const { access_token: token } = tokens;
    const epoch = (await redis.admin.get("curfew:denylist:epoch")) ?? "";
    await redis.admin.multi().del("curfew:denylist:epoch").lpush("curfew:denylist:epoch", epoch).exec();
    expect(check(token)).toBe("503 ResponseError");
    await redis.admin.multi().del("curfew:denylist:epoch").set("curfew:denylist:epoch", epoch).exec();
    expect(check(token)).toBe(tokens.user.id);
    process.kill(redis.pid, "SIGSTOP");
    try {
      expect(check(token)).toBe("503 TimeoutError");
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await redis.kill();
    expect(check(token)).toBe("503 ConnectionError");
  });
});

describe("the page", () => {
  it.each([
    ["python", "check.py"],
    ["python", "check_foreign.py"],
    ["go", "check.go"],
  ])("shows the example in %s as it is in its file", (language, file) => {
    const example = readFileSync(join("docs/examples", file), "utf8");
    expect(PAGE).toContain(`\`\`\`${language}\n${example}\`\`\``);
  });

  it("finds the shard in which Curfew keeps a user", () => {
    const [, example = ""] = /```python\n(import binascii[\s\S]*?)```/.exec(PAGE) ?? [];
    const subjects = ["0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11", "acme:user_2x", "acme:zoë", ""];
    for (const count of [1, 16, 100]) {
      const printed = execFileSync(
        python,
        [
          "-c",
          `${example}\nimport sys\nfor sub in sys.argv[1:]: print(prefix_of(sub, ${count}))`,
          ...subjects,
        ],
        { encoding: "utf8" },
      );
      const shards = createShards("curfew:", count);
      expect(printed.trim().split("\n")).toEqual(subjects.map((subject) => shards.prefixOf(subject)));
    }
  });
});
