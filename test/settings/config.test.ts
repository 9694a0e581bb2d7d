import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { readConfig } from "../../src/settings/config";
import { readSecret } from "../../src/keys/keys";
import { SECRET } from "../helpers/service";

const PRODUCTION = {
  NODE_ENV: "production",
  JWT_SECRET: SECRET,
  REDIS_URL: "redis://curfew:hunter2@redis.internal:6379",
};

/** What readConfig refuses, one line for each variable; empty if it refuses nothing. */
function problemsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as TypeError).message.split("\n");
  }
}

/** Checks that this one variable is refused, and that nothing else is. */
function expectProblem(env: NodeJS.ProcessEnv, name: string): string {
  const problems = problemsOf(env);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(new RegExp(`^${name}: .+, write .+$`));
  return problems[0] ?? "";
}

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "curfew-config-"));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

function write(name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}

const pemOf = (pair: {
  privateKey: { export(options: { type: "pkcs8"; format: "pem" }): string | Buffer };
}) => pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

describe("without any setting", () => {
  it("has the documented defaults", () => {
    expect(readConfig({})).toEqual({
      production: false,
      port: 3000,
      host: "127.0.0.1",
      logLevel: "info",
      shutdownGraceMs: 10_000,
      redis: { mode: "embedded" },
      prefix: "curfew:",
      timeoutMs: 250,
      shards: 16,
      revokeMinReplicas: 0,
      partitionToleranceMs: 0,
      allowEviction: false,
      demo: true,
      mode: "direct",
      mirrorMaxStalenessMs: 1000,
      key: undefined,
      verifyKeys: [],
      issuer: "curfew",
      audience: "curfew",
      clientId: "curfew",
      issuers: [],
      clients: [],
      accessTtlSeconds: 15 * 60,
      refreshTtlSeconds: 30 * 86_400,
      sessionMaxTtlSeconds: 90 * 86_400,
      refreshGraceSeconds: 10,
      clockToleranceSeconds: 0,
      passwordMinLength: 15,
      hasAccounts: true,
      cookies: { secure: false, refreshPath: "/api" },
      trustedOrigins: [],
      trustProxy: 0,
      rateLimits: {
        login: { limit: 10, windowSeconds: 60 },
        account: { limit: 5, windowSeconds: 60 },
        register: { limit: 60, windowSeconds: 3600 },
        refresh: { limit: 30, windowSeconds: 60 },
        logout: { limit: 30, windowSeconds: 60 },
      },
    });
  });

  it("reads no key where there are no accounts, in production too", () => {
    const without = { ...PRODUCTION, JWT_SECRET: "short", ACCOUNTS: "off" };
    expect(readConfig(without)).toMatchObject({ hasAccounts: false, key: undefined, verifyKeys: [] });
  });

  it("takes an empty variable for one that is not set", () => {
    const names = [...namesRead()];
    expect(readConfig(Object.fromEntries(names.map((name) => [name, ""])))).toEqual(readConfig({}));
  });

  it("listens on every address in production, sends cookies over TLS only, and shows no demo", () => {
    const config = readConfig(PRODUCTION);
    expect(config).toMatchObject({
      production: true,
      host: "0.0.0.0",
      demo: false,
      cookies: { secure: true },
    });
    expect(config.redis).toEqual({ mode: "single", url: PRODUCTION.REDIS_URL });
    expect(config.key?.algorithm).toBe("HS256");
  });
});

/** Every setting with a value that is wrong, and what the refusal tells to write. */
const WRONG: readonly (readonly [name: string, value: string, write: string])[] = [
  ["PORT", "65536", "a whole number from 0 to 65535"],
  ["HOST", "http://localhost", "an address such as 127.0.0.1"],
  ["LOG_LEVEL", "verbose", "trace or debug or info or warn or error or fatal or silent"],
  ["SHUTDOWN_GRACE_MS", "10s", "a whole number from 0 to 600000"],
  ["REDIS_PREFIX", "curfew *", "letters, digits and : . _ -"],
  ["REDIS_TIMEOUT_MS", "0", "a whole number from 10 to 60000"],
  ["JWT_ISSUER", "two words", "a name or URL without spaces"],
  ["JWT_AUDIENCE", "two words", "a name or URL without spaces"],
  ["JWT_CLIENT_ID", "two words", "a name or URL without spaces"],
  ["ACCESS_TTL", "900", "a number with its unit"],
  ["REFRESH_TTL", "0s", "a number with its unit"],
  ["SESSION_MAX_TTL", "1.5h", "a number with its unit"],
  ["REFRESH_GRACE_SECONDS", "-1", "a whole number from 0 to 300"],
  ["CLOCK_TOLERANCE_SECONDS", "301", "a whole number from 0 to 300"],
  ["PASSWORD_MIN_LENGTH", "7", "a whole number from 8 to 128"],
  ["COOKIE_SECURE", "true", "auto, which is the default, or on or off"],
  ["CORS_ORIGINS", "https://app.example.com/", "an origin such as https://app.example.com"],
  ["TRUST_PROXY", "true", "the number of proxies in front, or their networks"],
  ["RATE_LIMIT", "none", "on or off"],
  ["RATE_LIMIT_LOGIN", "10", "a number per second, minute, hour or day: 10/m"],
  ["RATE_LIMIT_ACCOUNT", "0/m", "a number per second, minute, hour or day: 10/m"],
  ["RATE_LIMIT_REGISTER", "10/min", "a number per second, minute, hour or day: 10/m"],
  ["RATE_LIMIT_REFRESH", "-1/m", "a number per second, minute, hour or day: 10/m"],
  ["RATE_LIMIT_LOGOUT", "many", "a number per second, minute, hour or day: 10/m"],
  ["REDIS_MODE", "sentinels", "single or sentinel or cluster"],
  ["REDIS_SHARDS", "0", "a whole number from 1 to 100"],
  ["DENYLIST_MODE", "cached", "direct or mirror"],
  ["MIRROR_MAX_STALENESS_MS", "0", "a whole number from 50 to 600000"],
  ["REVOKE_MIN_REPLICAS", "-1", "a whole number from 0 to 100"],
  ["PARTITION_TOLERANCE_MS", "1s", "a whole number from 0 to 60000"],
  ["ALLOW_EVICTION", "yes", "on or off"],
  ["ACCOUNTS", "none", "on or off"],
  ["DEMO", "yes", "on or off"],
];
/** Those whose value is never repeated: a secret, or what may hold one. */
const WRONG_SECRETS: typeof WRONG = [
  ["JWT_SECRET", "hunter2-hunter2", "the output of `openssl rand -base64 48`"],
  ["REDIS_URL", "http://curfew:hunter2@redis.internal", "redis://user:password@host:6379"],
  ["METRICS_TOKEN", "hunter2-hunter2", "16 or more letters, digits and signs"],
];
const FILES = ["JWT_PRIVATE_KEY_FILE", "JWT_VERIFY_KEYS_FILE", "TRUSTED_ISSUERS_FILE", "OAUTH_CLIENTS_FILE"];

const envOf = (rows: typeof WRONG) => Object.fromEntries(rows.map(([name, value]) => [name, value]));

/** The variables that readConfig looks at. */
function namesRead(): Set<string> {
  const names = new Set<string>();
  const spy = new Proxy<NodeJS.ProcessEnv>(
    {},
    {
      get(_env, name) {
        names.add(String(name));
        return undefined;
      },
    },
  );
  readConfig(spy);
  return names;
}

describe("a setting that is wrong", () => {
  it.each([...WRONG, ...WRONG_SECRETS])("is refused by name: %s=%s", (name, value, write) => {
    expect(expectProblem({ [name]: value }, name)).toContain(`, write ${write}`);
  });

  it.each(WRONG)("is told as it was read: %s=%s", (name, value) => {
    expect(expectProblem({ [name]: value }, name)).toContain(`read ${JSON.stringify(value)}`);
  });

  it.each(FILES)("is refused where it names no file that can be read: %s", (name) => {
    expectProblem({ [name]: join(dir, "missing") }, name);
    expectProblem({ [name]: dir }, name);
  });

  it("doesn't hide the others: all are told at once, each once", () => {
    const rows = [...WRONG, ...WRONG_SECRETS];
    const told = problemsOf(envOf(rows)).map((line) => line.split(":")[0]);
    expect(told.sort()).toEqual(rows.map(([name]) => name).sort());
  });

  it("is tried here for every variable that is read", () => {
    const tried = [...WRONG, ...WRONG_SECRETS].map(([name]) => name);
    const elsewhere = ["NODE_ENV", "REDIS_SENTINEL_NAME", ...FILES];
    expect([...namesRead()].filter((name) => ![...tried, ...elsewhere].includes(name))).toEqual([]);
  });

  it("is cut where it is long, and stays on one line", () => {
    const told = expectProblem({ LOG_LEVEL: `${"x".repeat(5000)}\nPORT: forged` }, "LOG_LEVEL");
    expect(told.length).toBeLessThan(250);
    expect(expectProblem({ LOG_LEVEL: "info\nPORT: forged" }, "LOG_LEVEL")).toContain(
      '"info\\nPORT: forged"',
    );
  });
});

describe("a secret", () => {
  it.each([
    ["JWT_SECRET", { JWT_SECRET: "hunter2" }],
    ["JWT_SECRET", { JWT_SECRET: "hunter2".repeat(10) }],
    ["JWT_SECRET", { JWT_SECRET: `change-me-hunter2-${SECRET}` }],
    ["JWT_SECRET", { JWT_SECRET: `hunter2${SECRET}`, JWT_PRIVATE_KEY_FILE: "/run/key.pem" }],
    ["REDIS_URL", { REDIS_URL: "http://curfew:hunter2@redis.internal:6379" }],
    ["REDIS_URL", { REDIS_URL: "curfew:hunter2@redis.internal:6379" }],
    ["REDIS_URL", { REDIS_URL: "redis://curfew:hunter2@redis.internal:port" }],
    ["METRICS_TOKEN", { METRICS_TOKEN: "hunter2 with a blank in it" }],
  ])("is never repeated: %s of %j", (name, env) => {
    const told = expectProblem(env, name);
    expect(told).not.toContain("hunter2");
    expect(told).not.toContain(SECRET);
  });

  it("is not repeated in another variable's refusal either", () => {
    const told = problemsOf({ ...PRODUCTION, PORT: "x" }).join("\n");
    expect(told).toMatch(/^PORT: .+$/);
  });
});

describe("a duration", () => {
  it.each([
    ["15m", 900],
    ["900s", 900],
    ["12h", 43_200],
    ["30d", 2_592_000],
    ["1s", 1],
  ])("is read with its unit: %s", (text, seconds) => {
    expect(readConfig({ ACCESS_TTL: text }).accessTtlSeconds).toBe(seconds);
  });

  it.each([
    ...["900", "0s", "-1s", "1.5h", "15 m", " 15m", "15m ", "15M", "15min", "1h30m", "m", "1e3s", "0x10s"],
    ...["１５m", "015m", "Infinity", "15m\n"],
  ])("is refused in any other form: %j", (text) => {
    expectProblem({ ACCESS_TTL: text }, "ACCESS_TTL");
  });

  it("is refused when it is so long that no date can be that late", () => {
    const problems = problemsOf({ SESSION_MAX_TTL: "999999999d" });
    expect(problems).toHaveLength(1);
  });

  it("has to fit the others: a session outlives its refresh tokens, and those the access tokens", () => {
    expectProblem({ ACCESS_TTL: "2d", REFRESH_TTL: "1d" }, "REFRESH_TTL");
    expectProblem({ REFRESH_TTL: "31d", SESSION_MAX_TTL: "30d" }, "SESSION_MAX_TTL");
    expect(problemsOf({ ACCESS_TTL: "1d", REFRESH_TTL: "1d", SESSION_MAX_TTL: "1d" })).toEqual([]);
  });
});

describe("memory://", () => {
  it.each(["127.0.0.1", "127.8.8.8", "::1", "localhost"])(
    "is for one machine: it may listen on %s",
    (HOST) => {
      expect(readConfig({ REDIS_URL: "memory://", HOST }).redis).toEqual({ mode: "memory" });
    },
  );

  it.each(["0.0.0.0", "::", "10.0.0.5", "curfew.example.com", "127.example.com", "127.0.0.1.example.com"])(
    "is refused where others could reach it: %s",
    (HOST) => {
      expectProblem({ REDIS_URL: "memory://", HOST }, "HOST");
    },
  );

  it("is refused in production, wherever it listens", () => {
    expectProblem({ ...PRODUCTION, REDIS_URL: "memory://", HOST: "127.0.0.1" }, "REDIS_URL");
  });
});

describe("production", () => {
  it("is refused without a key and without a Redis, both told at once", () => {
    const problems = problemsOf({ NODE_ENV: "production" });
    expect(problems.map((line) => line.split(":")[0])).toEqual(["REDIS_URL", "JWT_SECRET"]);
    expectProblem({ ...PRODUCTION, JWT_SECRET: undefined }, "JWT_SECRET");
    expectProblem({ ...PRODUCTION, REDIS_URL: undefined }, "REDIS_URL");
    expectProblem({ ...PRODUCTION, JWT_SECRET: "" }, "JWT_SECRET");
  });
});

describe("REDIS_URL", () => {
  it.each(["redis://localhost", "redis://:pw@localhost:6379/2", "rediss://user:pw@redis.example.com:6380"])(
    "is taken as it stands: %s",
    (REDIS_URL) => {
      expect(readConfig({ REDIS_URL }).redis).toEqual({ mode: "single", url: REDIS_URL });
    },
  );

  it.each([
    "localhost:6379",
    "redis.internal",
    "unix:///run/redis.sock",
    "memory:",
    "embedded://",
    "redis://a:1,redis://b:2",
    "redis://a?enableOfflineQueue=true",
    "redis://a,b",
  ])("is refused unless it is one redis:// or rediss:// address: %s", (REDIS_URL) => {
    expectProblem({ REDIS_URL }, "REDIS_URL");
  });
});

describe("REDIS_MODE", () => {
  const several = "rediss://user:p%40w@a.example.com,b.example.com:6380, rediss://user:p%40w@[::1]:7";
  const read = (env: NodeJS.ProcessEnv) => readConfig(env).redis;
  const common = { username: "user", password: "p@w", db: 0, hasTls: true };

  it("cluster finds its nodes in REDIS_URL", () => {
    expect(read({ REDIS_MODE: "cluster", REDIS_URL: several })).toEqual({
      mode: "cluster",
      nodes: [
        { host: "a.example.com", port: 6379 },
        { host: "b.example.com", port: 6380 },
        { host: "::1", port: 7 },
      ],
      ...common,
    });
  });

  it("sentinel finds the sentinels there, which have a password of their own", () => {
    const env = { REDIS_MODE: "sentinel", REDIS_SENTINEL_NAME: "main", REDIS_SENTINEL_PASSWORD: "s" };
    expect(read({ ...env, REDIS_URL: "redis://:pw@a/3,b" })).toEqual({
      mode: "sentinel",
      name: "main",
      sentinelPassword: "s",
      nodes: [
        { host: "a", port: 26_379 },
        { host: "b", port: 26_379 },
      ],
      username: undefined,
      password: "pw",
      db: 3,
      hasTls: false,
    });
  });

  it.each([
    ["REDIS_SENTINEL_NAME", { REDIS_MODE: "sentinel", REDIS_URL: "redis://a,b" }],
    ["REDIS_SENTINEL_NAME", { REDIS_SENTINEL_NAME: "main" }],
    ["REDIS_URL", { REDIS_MODE: "cluster" }],
    ["REDIS_URL", { REDIS_MODE: "cluster", REDIS_URL: "memory://" }],
    ["REDIS_URL", { REDIS_MODE: "cluster", REDIS_URL: "redis://a/3,b" }],
    ["REDIS_URL", { REDIS_MODE: "cluster", REDIS_URL: "a,b" }],
    ["REDIS_URL", { REDIS_MODE: "cluster", REDIS_URL: "redis://a:port,b" }],
    ["REDIS_URL", { REDIS_MODE: "cluster", REDIS_URL: "redis://:hunter2@a,redis://:hunter3@b" }],
    ["REDIS_URL", { REDIS_MODE: "cluster", REDIS_URL: "redis://a,rediss://b" }],
    ["REDIS_URL", { REDIS_MODE: "cluster", REDIS_URL: "redis://a?enableOfflineQueue=true,b" }],
    ["REDIS_URL", { REDIS_MODE: "sentinel", REDIS_SENTINEL_NAME: "x", REDIS_URL: "redis://a,b?role=slave" }],
    ["REVOKE_MIN_REPLICAS", { REVOKE_MIN_REPLICAS: "1" }],
    ["PARTITION_TOLERANCE_MS", { PARTITION_TOLERANCE_MS: "500", REDIS_URL: "redis://127.0.0.1:6379" }],
    ["REVOKE_MIN_REPLICAS", { REVOKE_MIN_REPLICAS: "1", REDIS_URL: "memory://" }],
    [
      "PARTITION_TOLERANCE_MS",
      { PARTITION_TOLERANCE_MS: "99", REVOKE_MIN_REPLICAS: "1", REDIS_URL: "redis://127.0.0.1:6379" },
    ],
    ["DENYLIST_MODE", { DENYLIST_MODE: "mirror", REDIS_URL: "memory://" }],
    ["DENYLIST_MODE", { DENYLIST_MODE: "mirror", REDIS_MODE: "cluster", REDIS_URL: "redis://a,b" }],
    ["REDIS_URL", { REDIS_MODE: "cluster", REDIS_URL: "redis://curfew:hunter%2@a,b" }],
    ["REDIS_URL", { REDIS_URL: "redis://:hunter2@a/b" }],
    ["REDIS_URL", { REDIS_URL: "redis://:hunter2@a/-1" }],
    ["REDIS_URL", { REDIS_URL: "redis:///run/redis.sock" }],
    ["REDIS_URL", { REDIS_URL: "redis://curfew:hunter%2@a" }],
  ])("has to fit the rest, or %s is refused: %j", (name, env) => {
    expect(expectProblem(env, name)).not.toMatch(/hunter/);
  });
});

describe("the key", () => {
  it.each([
    ["RS256", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["ES256", () => generateKeyPairSync("ec", { namedCurve: "prime256v1" })],
  ])("may be a pair, for %s, from a file", (algorithm, generate) => {
    const file = write(`${algorithm}.pem`, pemOf(generate()));
    const { key } = readConfig({ JWT_PRIVATE_KEY_FILE: file });
    expect(key?.algorithm).toBe(algorithm);
    expect(key?.verifyWith.type).toBe("public");
  });

  it.each([
    ["RSA of 1024 bits", () => pemOf(generateKeyPairSync("rsa", { modulusLength: 1024 }))],
    ["P-384", () => pemOf(generateKeyPairSync("ec", { namedCurve: "secp384r1" }))],
    ["Ed25519", () => pemOf(generateKeyPairSync("ed25519"))],
    [
      "a public key",
      () =>
        generateKeyPairSync("ec", { namedCurve: "prime256v1" })
          .publicKey.export({ type: "spki", format: "pem" })
          .toString(),
    ],
    [
      "one that needs a passphrase",
      () =>
        generateKeyPairSync("ec", { namedCurve: "prime256v1" })
          .privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "hunter2" })
          .toString(),
    ],
    ["garbage", () => "not a key"],
    ["nothing", () => ""],
  ])("is refused when its file holds %s", (what, generate) => {
    const JWT_PRIVATE_KEY_FILE = write(`${what}.pem`, generate());
    expectProblem({ JWT_PRIVATE_KEY_FILE }, "JWT_PRIVATE_KEY_FILE");
  });

  it("is refused when its file is missing, or a folder", () => {
    for (const JWT_PRIVATE_KEY_FILE of [join(dir, "missing.pem"), dir]) {
      expectProblem({ JWT_PRIVATE_KEY_FILE }, "JWT_PRIVATE_KEY_FILE");
    }
  });

  it("is one: a secret and a file together are refused, whichever was meant", () => {
    const JWT_PRIVATE_KEY_FILE = write(
      "both.pem",
      pemOf(generateKeyPairSync("rsa", { modulusLength: 2048 })),
    );
    expectProblem({ JWT_SECRET: SECRET, JWT_PRIVATE_KEY_FILE }, "JWT_SECRET");
  });
});

describe("the keys that only verify", () => {
  const p256 = () => pemOf(generateKeyPairSync("ec", { namedCurve: "prime256v1" }));
  const read = (list: unknown) =>
    readConfig({ JWT_VERIFY_KEYS_FILE: write("keys.json", JSON.stringify(list)) }).verifyKeys;

  it("are those of a file, which may be secrets and pairs, written there or in files beside it", () => {
    write("beside.pem", p256());
    const keys = read([{ secret: SECRET }, { private_key: p256() }, { private_key_file: "beside.pem" }]);
    expect(keys.map(({ algorithm }) => algorithm)).toEqual(["HS256", "ES256", "ES256"]);
    expect(read([])).toEqual([]);
  });

  it("may hold the one that signs, which in a rolling restart it does", () => {
    const JWT_VERIFY_KEYS_FILE = write("keys.json", JSON.stringify([{ secret: SECRET }]));
    const { key, verifyKeys } = readConfig({ JWT_SECRET: SECRET, JWT_VERIFY_KEYS_FILE });
    expect(verifyKeys.map(({ kid }) => kid)).toEqual([key?.kid]);
  });

  it("are refused where their file is missing or no list", () => {
    for (const JWT_VERIFY_KEYS_FILE of [join(dir, "missing.json"), dir, write("keys.json", "{")]) {
      expectProblem({ JWT_VERIFY_KEYS_FILE }, "JWT_VERIFY_KEYS_FILE");
    }
  });

  it("are all told at once where they are wrong, each with its place and none with its text", () => {
    const list = [{ secret: "hunter2" }, { secret: `${SECRET}x` }, { private_key: "hunter2" }];
    const told = problemsOf({ JWT_VERIFY_KEYS_FILE: write("keys.json", JSON.stringify(list)) });
    expect(told.map((line) => line.split(", write ")[0])).toEqual([
      "JWT_VERIFY_KEYS_FILE: [0].secret: it is 7 bytes long, which is less than 32",
      "JWT_VERIFY_KEYS_FILE: [2].private_key: it holds no private key in PEM without a passphrase",
    ]);
    expect(told.join()).not.toContain("hunter2");
  });
});

describe("a trusted issuer", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const issuer = (more: object) => ({
    name: "other",
    issuer: "https://other.example",
    audience: null,
    ...more,
  });
  const bySecret = () => {
    const entry = issuer({ algorithms: ["HS256"], secret_env: "OTHER_SECRET" });
    return write("issuers.json", JSON.stringify([entry]));
  };
  const byPublicKey = () => {
    const pem = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
    const entry = issuer({ algorithms: ["ES256"], public_key_file: write("other.pem", pem) });
    return write("issuers.json", JSON.stringify([entry]));
  };
  const listed = (key: object) => write("keys.json", JSON.stringify([{ secret: `${SECRET}x` }, key]));

  it.each<[string, () => NodeJS.ProcessEnv]>([
    ["signs", () => ({ JWT_SECRET: SECRET })],
    ["only verifies", () => ({ JWT_VERIFY_KEYS_FILE: listed({ secret: SECRET }) })],
  ])("with the secret that %s is refused", (_title, ours) => {
    const env = { ...ours(), OTHER_SECRET: SECRET, TRUSTED_ISSUERS_FILE: bySecret() };
    const told = expectProblem(env, "TRUSTED_ISSUERS_FILE");
    expect(told).toContain("[0].secret_env: it holds one of our own keys");
    expect(told).not.toContain(SECRET);
  });

  it.each<[string, () => NodeJS.ProcessEnv]>([
    ["signs", () => ({ JWT_PRIVATE_KEY_FILE: write("own.pem", pemOf(pair)) })],
    ["only verifies", () => ({ JWT_VERIFY_KEYS_FILE: listed({ private_key: pemOf(pair) }) })],
  ])("with the public half of the pair that %s is refused", (_title, ours) => {
    const told = expectProblem({ ...ours(), TRUSTED_ISSUERS_FILE: byPublicKey() }, "TRUSTED_ISSUERS_FILE");
    expect(told).toContain("[0].public_key_file: it holds one of our own keys");
  });

  it("with the secret that was made and kept is refused where that one signs", () => {
    const env = { OTHER_SECRET: SECRET, TRUSTED_ISSUERS_FILE: bySecret() };
    expect(() => readConfig(env, () => readSecret(SECRET))).toThrow(/one of our own keys/);
    expect(readConfig(env, () => undefined).issuers).toHaveLength(1);
    const own = { ...env, JWT_SECRET: `${SECRET}x` };
    expect(readConfig(own, () => readSecret(SECRET)).issuers).toHaveLength(1);
  });

  it("with keys of its own is taken", () => {
    const env = { JWT_SECRET: `${SECRET}x`, OTHER_SECRET: SECRET };
    for (const TRUSTED_ISSUERS_FILE of [bySecret(), byPublicKey()]) {
      expect(readConfig({ ...env, TRUSTED_ISSUERS_FILE }).issuers).toHaveLength(1);
    }
  });
});

it("the clients of OAUTH_CLIENTS_FILE are read, or all that is wrong with them is told and nothing of it repeated", () => {
  const hash = "8b".repeat(32);
  const read = (list: unknown) => ({
    OAUTH_CLIENTS_FILE: write("clients.json", JSON.stringify(list)),
  });
  expect(readConfig(read([{ client_id: "one", client_secret_sha256: hash }])).clients).toEqual([
    { id: "one", secretHash: Buffer.from(hash, "hex") },
  ]);
  const told = problemsOf({
    ...read([{ client_id: "one", client_secret_sha256: "hunter2" }, { client_id: "two words" }]),
    PORT: "x",
  });
  expect(told.map((line) => line.split(", write ")[0])).toEqual([
    'PORT: read "x"',
    "OAUTH_CLIENTS_FILE: [0].client_secret_sha256: it is not a SHA-256 in 64 hexadecimal digits",
    "OAUTH_CLIENTS_FILE: [1].client_id: it is not 1 to 128 ASCII letters, digits and signs",
    "OAUTH_CLIENTS_FILE: [1].client_secret_sha256: it is not a string",
  ]);
});

describe("lists", () => {
  it("are comma-separated, with or without blanks", () => {
    const config = readConfig({
      CORS_ORIGINS: "https://app.example.com, http://localhost:5173",
      TRUST_PROXY: "10.0.0.0/8,::1, loopback",
    });
    expect(config.trustedOrigins).toEqual(["https://app.example.com", "http://localhost:5173"]);
    expect(config.trustProxy).toEqual(["10.0.0.0/8", "::1", "loopback"]);
  });

  it.each([
    "*",
    "null",
    "https://*.example.com",
    "app.example.com",
    "https://app.example.com,",
    "ws://a.example",
  ])("of origins hold no pattern and nothing but origins: %s", (CORS_ORIGINS) => {
    expectProblem({ CORS_ORIGINS }, "CORS_ORIGINS");
  });

  it.each(["true", "all", "33", "-1", "0.0.0.0/0", "::/0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/8,true"])(
    "of proxies never hold everybody: %s",
    (TRUST_PROXY) => {
      expectProblem({ TRUST_PROXY }, "TRUST_PROXY");
    },
  );
});

it("METRICS_TOKEN is read as it stands, and an empty one counts as none", () => {
  expect(readConfig({ METRICS_TOKEN: "0123456789abcdef" }).metricsToken).toBe("0123456789abcdef");
  expect(readConfig({ METRICS_TOKEN: "" }).metricsToken).toBeUndefined();
});

it("RATE_LIMIT=off switches every limit off, and a limit is read with its window", () => {
  expect(readConfig({ RATE_LIMIT: "off", RATE_LIMIT_LOGIN: "3/h" }).rateLimits).toBeUndefined();
  expect(readConfig({ RATE_LIMIT_LOGIN: "3/h" }).rateLimits?.login).toEqual({
    limit: 3,
    windowSeconds: 3600,
  });
});

describe("the process", () => {
  /** Runs the service until it gives up, which it has to do by itself. */
  const runMain = (env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [resolve("dist/main.js")], {
      env: { PATH: process.env["PATH"], ...env },
      cwd: dir,
      encoding: "utf8",
      timeout: 10_000,
    });

  it("ends with 78 and says all that is wrong with its configuration, and nothing else", () => {
    const env = { ...envOf(WRONG), ...envOf(WRONG_SECRETS) };
    const before = readdirSync(dir);
    const { status, stdout, stderr } = runMain(env);
    expect(stderr).toBe(`Curfew can't start with this configuration.\n${problemsOf(env).join("\n")}\n`);
    expect(stdout).toBe("");
    expect(status).toBe(78);
    expect(readdirSync(dir)).toEqual(before);
  });

  it("tells what is wrong with the secret that it kept, and whether an issuer has the same", () => {
    const file = join(dir, ".data", "jwt-secret");
    mkdirSync(dirname(file));
    const entry = { name: "other", issuer: "x", audience: null, algorithms: ["HS256"], secret_env: "OTHER" };
    const TRUSTED_ISSUERS_FILE = write("issuers.json", JSON.stringify([entry]));
    writeFileSync(file, `${SECRET}\n`);
    const same = runMain({ OTHER: SECRET, TRUSTED_ISSUERS_FILE, PORT: "x" });
    writeFileSync(file, "hunter2");
    const weak = runMain({ PORT: "x" });
    rmSync(dirname(file), { recursive: true });
    expect(same.stderr).toMatch(
      /^PORT: .*\nTRUSTED_ISSUERS_FILE: \[0\]\.secret_env: it holds one of our own keys, write /m,
    );
    expect(weak.stderr).toMatch(
      /^PORT: .*\nJWT_SECRET: the secret kept in \.data\/jwt-secret can't .*, write /m,
    );
    expect(weak.stderr).not.toContain("hunter2");
    expect([same.status, weak.status]).toEqual([78, 78]);
  });

  // In Jest, an error of Node's own is no `instanceof Error`: what is told of one shows in a process only.
  it("tells why a key's file can't be read", () => {
    const { status, stderr } = runMain({ JWT_PRIVATE_KEY_FILE: join(dir, "missing.pem") });
    expect(stderr).toMatch(/^JWT_PRIVATE_KEY_FILE: .*ENOENT.*, write /m);
    expect(status).toBe(78);
  });

  it("never repeats a private key that stands where its file's name belongs", () => {
    const pem = pemOf(generateKeyPairSync("ec", { namedCurve: "prime256v1" }));
    const { status, stderr } = runMain({ JWT_PRIVATE_KEY_FILE: pem });
    expect(stderr).toMatch(/^JWT_PRIVATE_KEY_FILE: .*, write /m);
    expect(stderr).not.toContain(pem.split("\n")[1]);
    expect(status).toBe(78);
  });

  it("ends with 1 and names the address when somebody else listens on its port", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { status, stdout, stderr } = runMain({
      PORT: String(port),
      REDIS_URL: "memory://",
      JWT_SECRET: SECRET,
    });
    other.close();
    expect(stderr).toMatch(new RegExp(`^Curfew can't start\\. .*address already in use.*:${port}.*\\n$`));
    expect(stdout).not.toContain("listening");
    expect(status).toBe(1);
  });
});

it("takes a Redis URL with space around it, and a database", () => {
  const { redis } = readConfig({ REDIS_URL: " redis://127.0.0.1:6379/3\n" });
  expect(redis).toEqual({ mode: "single", url: "redis://127.0.0.1:6379/3" });
});
