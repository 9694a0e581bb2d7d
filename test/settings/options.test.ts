import { generateKeyPairSync } from "node:crypto";
import { readConfig } from "../../src/settings/config";
import { readOptions } from "../../src/settings/options";
import { OPTION_NAMES, SETTING_NAMES } from "../../src/settings/table";
import { SECRET } from "../helpers/service";

const REQUIRED = { redis: "redis://127.0.0.1:6379", keys: { secret: SECRET } };

function problemsOf(options: object, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    readOptions({ ...REQUIRED, ...options }, env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as TypeError).message.split("\n").slice(1);
  }
}

describe("the library's options", () => {
  it("have the defaults that the service has in production", () => {
    const env = { NODE_ENV: "production", REDIS_URL: REQUIRED.redis, JWT_SECRET: SECRET };
    const [settings, config] = [readOptions(REQUIRED, {}), readConfig(env)];
    const names = SETTING_NAMES.filter((name) => OPTION_NAMES.some((option) => option === name));
    expect(names.length).toBeGreaterThan(10);
    const byName = (from: object) =>
      Object.entries(from).filter(([name]) => names.some((each) => each === name));
    // Only the service knows where its routes are mounted.
    expect(config.cookies.refreshPath).toBe("/api");
    const cookies = { ...config.cookies, refreshPath: undefined };
    expect(byName(settings)).toEqual(byName({ ...config, cookies }));
  });

  it("may be undefined, which is as if they were left out", () => {
    const none = Object.fromEntries(OPTION_NAMES.map((name) => [name, undefined]));
    expect(problemsOf({ ...none, ...REQUIRED, cookies: { secure: undefined } })).toEqual([]);
  });

  it("are all told at once where they are wrong, also those that don't go together", () => {
    const wrong = {
      timeoutMs: 1,
      partitionToleranceMs: 500,
      accessTtlSeconds: 60,
      refreshTtlSeconds: 30,
      prefx: "x",
    };
    expect(problemsOf(wrong).map((line) => line.split(":")[0])).toEqual([
      ...["timeoutMs", "partitionToleranceMs", "refreshTtlSeconds", "prefx"],
    ]);
  });

  it.each([
    ["memory://", undefined, 5000],
    ["memory://", 8000, 8000],
    [REQUIRED.redis, undefined, 250],
  ])("give %s with a time limit of %s so many ms: %s", (redis, timeoutMs, expected) => {
    expect(readOptions({ ...REQUIRED, redis, timeoutMs }, {}).timeoutMs).toBe(expected);
    const env = { REDIS_URL: redis, ...(timeoutMs && { REDIS_TIMEOUT_MS: String(timeoutMs) }) };
    expect(readConfig(env).timeoutMs).toBe(expected);
  });

  it("are judged by themselves before they are judged together", () => {
    expect(problemsOf({ shards: 0 })).toEqual(["shards: write a whole number from 1 to 100"]);
  });

  it("take an issuer's keys over plain http outside production only, as the service does", () => {
    const issuer = {
      name: "x",
      issuer: "x",
      jwks_uri: "http://127.0.0.1:1/",
      audience: null,
      algorithms: ["RS256"],
    };
    expect(problemsOf({ issuers: [issuer] })).toEqual([]);
    expect(problemsOf({ issuers: [issuer] }, { NODE_ENV: "production" })).toEqual([
      expect.stringMatching(/^issuers: \[0\]\.jwks_uri: it is plain http, in production, write /),
    ]);
  });

  it("take an issuer's key itself, a public one or a secret, but not ours", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    const entry = { name: "x", issuer: "x", audience: "api" };
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const secret = "tR5mWq8Zx2LvNc7KpHd3GyBs9JfUa4Eo6QiTzXnMhVw";
    const byKey = { ...entry, publicKey: pem, algorithms: ["Ed25519"] };
    const bySecret = { ...entry, secret, algorithms: ["HS256"] };
    expect(problemsOf({ issuers: [byKey] })).toEqual([]);
    expect(problemsOf({ issuers: [bySecret] })).toEqual([]);
    expect(problemsOf({ issuers: [{ ...bySecret, secret: SECRET }] })).toEqual([
      expect.stringMatching(/^issuers: \[0\]\.secret: it holds one of our own keys, write its secret, /),
    ]);
    expect(problemsOf({ issuers: [{ ...byKey, publicKey: "x" }] })).toEqual([
      expect.stringMatching(/^issuers: \[0\]\.publicKey: it holds no public key in PEM, write /),
    ]);
    expect(problemsOf({ issuers: [{ ...byKey, secret }] })).toEqual([
      expect.stringMatching(/^issuers: \[0\]: it has several keys, write one of .*, publicKey, secret$/),
    ]);
  });
});
