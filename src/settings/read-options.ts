import { readFileSync } from "node:fs";
import { readAppClient, type AppRedis } from "../redis/app-client";
import { readSingle, type Address } from "../redis/address";
import {
  DEFAULT_RATES,
  MIN_PARTITION_TOLERANCE_MS,
  rate,
  webOrigin,
  type Kind,
  type Rates,
} from "./settings";
import { createKeyRing, type KeyRing } from "../keys/key-ring";
import { readPrivateKey, readSecret, type SigningKey } from "../keys/keys";
import { readIssuers } from "./trusted-issuers";
import { readAccounts } from "../accounts/app-accounts";
import { readLog } from "./log";
import { createReading, isObject, type Read } from "./reading";

const DAY = 86_400;
const TEN_YEARS = 3650 * DAY;

const REDIS_HINT =
  "your client of ioredis 5, new Redis(…) or new Cluster(…), or a URL: redis://user:password@host:6379";
const KEY_HINT =
  '{ secret }, made by `openssl rand -base64 48`, or { privateKey: "-----BEGIN PRIVATE KEY-----…" }';

/** Reads every option once, or throws one TypeError with a line for each that is wrong. None repeats what stands there. */
export function readOptions(options: unknown, env: NodeJS.ProcessEnv) {
  const { read, isGiven, finish } = createReading("createCurfew", options);
  const redis = read("redis", (value) => readRedis(value, isGiven("prefix")));
  const issuer = read("issuer", name, "curfew");
  const keys = read("keys", readKeys);
  const settled = {
    redis,
    issuer,
    keys,
    prefix: read("prefix", matching(/^[\w:.-]{1,64}$/, "letters, digits and : . _ -"), "curfew:"),
    timeoutMs: read("timeoutMs", whole(10, 60_000), 250),
    shards: read("shards", whole(1, 100), undefined),
    revokeMinReplicas: read("revokeMinReplicas", whole(0, 100), 0),
    partitionToleranceMs: read("partitionToleranceMs", whole(0, 60_000), 0),
    trustedIssuers: read("issuers", (value) => readTrusted(value, issuer, keys, env), []),
    accounts: read("accounts", readAccounts, undefined),
    audience: read("audience", name, "curfew"),
    accessTtlSeconds: read("accessTtlSeconds", whole(1, TEN_YEARS), 900),
    refreshTtlSeconds: read("refreshTtlSeconds", whole(1, TEN_YEARS), 30 * DAY),
    sessionMaxTtlSeconds: read("sessionMaxTtlSeconds", whole(1, TEN_YEARS), 90 * DAY),
    refreshGraceSeconds: read("refreshGraceSeconds", whole(0, 300), 10),
    clockToleranceSeconds: read("clockToleranceSeconds", whole(0, 300), 0),
    passwordMinLength: read("passwordMinLength", whole(8, 128), 15),
    ...read("cookies", readCookies, readCookies({})),
    corsOrigins: read("trustedOrigins", readOrigins, []),
    rateLimits: read("rateLimits", readRates, DEFAULT_RATES),
    log: read("log", readLog, readLog(undefined)),
  };
  finish();
  if (settled.shards !== undefined && redis.mode !== "app-cluster") {
    throw new TypeError(
      "createCurfew: shards are for a Redis Cluster, write nothing, or its client as redis",
    );
  }
  if (settled.partitionToleranceMs > 0 && settled.revokeMinReplicas === 0) {
    throw new TypeError(
      "createCurfew: partitionToleranceMs takes replicas that confirm, write 0, or revokeMinReplicas too",
    );
  }
  if (settled.partitionToleranceMs > 0 && settled.partitionToleranceMs < MIN_PARTITION_TOLERANCE_MS) {
    throw new TypeError(
      `createCurfew: no replica confirms within partitionToleranceMs, write 0, or ${MIN_PARTITION_TOLERANCE_MS} at least`,
    );
  }
  assertLonger(settled, "refreshTtlSeconds", "accessTtlSeconds");
  assertLonger(settled, "sessionMaxTtlSeconds", "refreshTtlSeconds");
  return settled;
}

const whole =
  (min: number, max: number): Read<number> =>
  (value) => {
    if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);
    throw new TypeError(`write a whole number from ${min} to ${max}`);
  };

const matching =
  (pattern: RegExp, expects: string): Read<string> =>
  (value) => {
    if (typeof value === "string" && pattern.test(value)) return value;
    throw new TypeError(`write ${expects}`);
  };

const name = matching(/^\S{1,255}$/, "a name or URL without spaces");

/** What a setting's text is read by, for an option. */
function asSetting<T>({ parse, expects }: Kind<T>, value: unknown): T {
  const parsed = typeof value === "string" ? parse(value) : undefined;
  if (parsed === undefined) throw new TypeError(`write ${expects}`);
  return parsed;
}

function readRedis(value: unknown, isPrefixGiven: boolean): Address | AppRedis {
  if (typeof value !== "string") return readAppClient(value, isPrefixGiven);
  try {
    return readSingle(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`${error.message}, write ${REDIS_HINT}`, { cause: error });
  }
}

function readKeys(value: unknown): KeyRing {
  if (!isObject(value)) throw new TypeError(`write ${KEY_HINT}`);
  const { verify = [], ...signing } = value;
  if (!Array.isArray(verify)) throw new TypeError("verify is not an array of keys");
  return createKeyRing(readKey(signing), verify.map(readKey));
}

function readKey(value: unknown): SigningKey {
  const [[kind, text] = [], ...more] = Object.entries(value ?? {}) as [string, unknown][];
  try {
    if (kind === "secret" && typeof text === "string" && more.length === 0) return readSecret(text);
    if (kind === "privateKey" && typeof text === "string" && more.length === 0) return readPrivateKey(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`${error.message}, write ${KEY_HINT}`, { cause: error });
  }
  throw new TypeError(`a key is one text, write ${KEY_HINT}`);
}

/** Without `keys` there are none that could be used: what is wrong with them is said elsewhere. */
function readTrusted(value: unknown, ownIssuer: string, keys: KeyRing | undefined, env: NodeJS.ProcessEnv) {
  if (!Array.isArray(value)) throw new TypeError("write an array of issuers");
  return readIssuers(value, {
    production: false,
    ownIssuer,
    ownKeys: keys?.all ?? [],
    env,
    readFile: (file) => readFileSync(file, "utf8"),
  });
}

function readCookies(value: unknown) {
  const { read, finish } = createReading("cookies", value);
  const isBoolean: Read<boolean> = (each) => {
    if (typeof each === "boolean") return each;
    throw new TypeError("write true or false");
  };
  const path = matching(/^\/[\w./~-]*$/, 'the path at which the routes are mounted: "/auth"');
  const cookies = {
    cookieSecure: read("secure", isBoolean, true),
    refreshCookiePath: read("refreshPath", path, "/api"),
  };
  finish();
  return cookies;
}

function readOrigins(value: unknown): string[] {
  if (!Array.isArray(value)) throw new TypeError("write an array of origins");
  return value.map((each) => asSetting(webOrigin, each));
}

/** Undefined: nothing is limited. */
function readRates(value: unknown): Rates | undefined {
  if (value === false) return undefined;
  const { read, finish } = createReading("rateLimits", value);
  const limit = (each: keyof Rates) => read(each, (text) => asSetting(rate, text), DEFAULT_RATES[each]);
  const rates = {
    login: limit("login"),
    account: limit("account"),
    register: limit("register"),
    refresh: limit("refresh"),
    logout: limit("logout"),
  };
  finish();
  return rates;
}

function assertLonger<Name extends string>(times: Record<Name, number>, longer: Name, shorter: Name): void {
  if (times[longer] >= times[shorter]) return;
  throw new TypeError(`createCurfew: ${longer} is shorter than ${shorter}, write a longer one`);
}
