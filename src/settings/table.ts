import type { z } from "zod";
import {
  autoOnOff,
  duration,
  judgedArray,
  judgedElsewhere,
  judgedObject,
  listOf,
  matching,
  oneOf,
  onOff,
  production,
  proxies,
  rate,
  switchable,
  together,
  webOrigin,
  whole,
} from "./kinds";

/** One setting. The comment above a row describes it; docs/settings.md and an app's editor show that comment. */
export type Row = {
  /** The service's environment variable. Without one, only apps can set it. */
  readonly variable?: string;
  /** True if it is an option of createCurfew, under the row's name. */
  readonly isOption?: true;
  readonly kind: { readonly text: z.ZodType<unknown, string>; readonly value: z.ZodType };
  /** The default, written as in the variable. Without one, the setting is optional, or its reader requires it. */
  readonly default?: string;
  /** The default of the service in production, and of the library anywhere. */
  readonly inProduction?: string;
  /** True if its value is a secret, or may contain one: then no message quotes it. */
  readonly isSecret?: true;
  /** True if a file beside this one reads it and makes something else of it, often from several rows. */
  readonly isPart?: true;
};

/**
 * Settings that are one option. The row itself is read for whether the group is on; if not, the group is `undefined`.
 */
export type Group = Row & { readonly members: Readonly<Record<string, Row>> };

const CLAIM = matching(/^\S{1,255}$/, "a name or URL without spaces");

/** Every setting, of the service and of the library. */
export const TABLE = {
  /** `production` changes the defaults marked so; the Docker image sets it. `test` is the same as `development`. */
  production: { variable: "NODE_ENV", kind: production, default: "development" },
  /** The port to listen on. `0` takes a free one; the log line `"msg":"listening"` says which. */
  port: { variable: "PORT", kind: whole(0, 65_535), default: "3000" },
  /** The address to listen on. */
  host: {
    variable: "HOST",
    kind: matching(/^[\w.:-]+$/, "an address such as 127.0.0.1"),
    default: "127.0.0.1",
    inProduction: "0.0.0.0",
  },
  /**
   * The number of proxies in front, or their networks. Without it, everybody behind a proxy has the proxy's address.
   */
  trustProxy: { variable: "TRUST_PROXY", kind: proxies, default: "0" },
  /** How long stopping may take, from SIGTERM to exit; `0` waits for nothing. Don't send SIGKILL sooner. */
  shutdownGraceMs: { variable: "SHUTDOWN_GRACE_MS", kind: whole(0, 600_000), default: "10000" },

  /**
   * Where Redis is. In an app, your ioredis 5 client of a single Redis, of sentinels or of a cluster: Curfew makes its
   * own connections like it. Options behind a `?` in a URL are refused, because they could stop Curfew from failing
   * closed. Outside production, the service starts a private redis-server if there is no URL, and `memory://` needs no
   * Redis: to try the service, on loopback only, and for an app's own tests.
   */
  redis: {
    variable: "REDIS_URL",
    isOption: true,
    kind: judgedElsewhere(
      "redis://user:password@host:6379 or rediss://…; with several nodes, set REDIS_MODE",
      "your client of ioredis 5, new Redis(…) or new Cluster(…), or a URL: redis://user:password@host:6379",
    ),
    isSecret: true,
    isPart: true,
  },
  /**
   * `sentinel`: `REDIS_URL` names the sentinels, `redis://user:password@s1:26379,s2:26379`. `cluster`: it names some of
   * the nodes. Either all of them use TLS or none.
   */
  redisMode: {
    variable: "REDIS_MODE",
    kind: oneOf("single", "sentinel", "cluster"),
    default: "single",
    isPart: true,
  },
  /** What the sentinels call the primary. */
  redisSentinelName: {
    variable: "REDIS_SENTINEL_NAME",
    kind: judgedElsewhere("the sentinels' name for the primary"),
    isPart: true,
  },
  /** The sentinels' own password, if they have one. The user and password in `REDIS_URL` are Redis's. */
  redisSentinelPassword: {
    variable: "REDIS_SENTINEL_PASSWORD",
    kind: judgedElsewhere("a password"),
    isSecret: true,
    isPart: true,
  },
  /** What every key in Redis begins with. */
  prefix: {
    variable: "REDIS_PREFIX",
    isOption: true,
    kind: matching(/^[\w:.-]{1,64}$/, "letters, digits and : . _ -"),
    default: "curfew:",
  },
  /** How long one request may wait for Redis, in all. After that the answer is 503. With `memory://` at least 5000. */
  timeoutMs: { variable: "REDIS_TIMEOUT_MS", isOption: true, kind: whole(10, 60_000), default: "250" },
  /**
   * In a cluster, the number of slots that users are spread over. Changing it means starting with an empty denylist.
   */
  shards: { variable: "REDIS_SHARDS", isOption: true, kind: whole(1, 100), default: "16" },
  /**
   * How many replicas must have confirmed a logout, login or refresh before it succeeds; otherwise the answer is 503.
   */
  revokeMinReplicas: { variable: "REVOKE_MIN_REPLICAS", isOption: true, kind: whole(0, 100), default: "0" },
  /**
   * Accept tokens only while those replicas have confirmed a write sent within this time, so that an instance cut off
   * with an old primary stops in time (docs/redis.md). `0`: off.
   */
  partitionToleranceMs: {
    variable: "PARTITION_TOLERANCE_MS",
    isOption: true,
    kind: whole(0, 60_000),
    default: "0",
  },
  /** `on`: start in production although Redis may evict entries, after which revoked tokens are accepted again. */
  allowEviction: { variable: "ALLOW_EVICTION", kind: onOff, default: "off" },
  /**
   * How the denylist is checked. `direct`: each check asks Redis. `mirror`: each instance keeps a copy of what is denied,
   * and only what may be denied asks Redis (docs/mirror.md). Not in a cluster, nor with `memory://`.
   */
  mode: { variable: "DENYLIST_MODE", isOption: true, kind: oneOf("direct", "mirror"), default: "direct" },
  /** How old the copy may be when a token is accepted by it; while it is older, each check asks Redis. */
  mirrorMaxStalenessMs: {
    variable: "MIRROR_MAX_STALENESS_MS",
    isOption: true,
    kind: whole(50, 600_000),
    default: "1000",
  },

  /**
   * The key that signs tokens and, in `verify`, keys that only verify: the next and the previous ones. Not with
   * `accounts: false`.
   */
  keys: {
    isOption: true,
    kind: judgedObject(
      '{ secret }, made by `openssl rand -base64 48`, or { privateKey: "-----BEGIN PRIVATE KEY-----…" }',
    ),
    isSecret: true,
    isPart: true,
  },
  /**
   * The secret that signs tokens with HS256, 32 bytes or more. Short, repetitive or published ones are refused.
   * Production needs this or `JWT_PRIVATE_KEY_FILE`; otherwise a secret is made and kept under `.data/`. With
   * `ACCOUNTS=off`, no key is read.
   */
  secret: {
    variable: "JWT_SECRET",
    kind: judgedElsewhere("the output of `openssl rand -base64 48`, or set JWT_PRIVATE_KEY_FILE"),
    isSecret: true,
    isPart: true,
  },
  /** The private key that signs tokens with RS256 or ES256. */
  privateKeyFile: {
    variable: "JWT_PRIVATE_KEY_FILE",
    kind: judgedElsewhere("the name of a PEM file with an RSA (2048 bits or more) or P-256 private key"),
    isSecret: true,
    isPart: true,
  },
  /** The next and the previous keys, which verify but don't sign, 16 at most (docs/keys.md). */
  verifyKeysFile: {
    variable: "JWT_VERIFY_KEYS_FILE",
    kind: judgedElsewhere(
      'the name of a JSON file with the next and the previous keys: [{"secret": "…"}, {"private_key": "…"}, {"private_key_file": "…"}]',
    ),
    isPart: true,
  },
  /** The `iss` of own tokens. */
  issuer: { variable: "JWT_ISSUER", isOption: true, kind: CLAIM, default: "curfew" },
  /** The `aud` of own tokens. */
  audience: { variable: "JWT_AUDIENCE", isOption: true, kind: CLAIM, default: "curfew" },
  /** The `client_id` of own tokens (RFC 9068), which some validators require. It decides nothing here. */
  clientId: { variable: "JWT_CLIENT_ID", isOption: true, kind: CLAIM, default: "curfew" },
  /**
   * How long an access token lives. If you lower it, earlier tokens that live longer become `token_invalid`; their
   * sessions go on.
   */
  accessTtlSeconds: { variable: "ACCESS_TTL", isOption: true, kind: duration, default: "15m" },
  /** How long a session lives without being used. */
  refreshTtlSeconds: { variable: "REFRESH_TTL", isOption: true, kind: duration, default: "30d" },
  /** How long a session lives at most. */
  sessionMaxTtlSeconds: { variable: "SESSION_MAX_TTL", isOption: true, kind: duration, default: "90d" },
  /** How long a refresh may be repeated. */
  refreshGraceSeconds: {
    variable: "REFRESH_GRACE_SECONDS",
    isOption: true,
    kind: whole(0, 300),
    default: "10",
  },
  /**
   * How long after its `exp` a token is still accepted, because clocks differ. Entries live longer by twice as much.
   */
  clockToleranceSeconds: {
    variable: "CLOCK_TOLERANCE_SECONDS",
    isOption: true,
    kind: whole(0, 300),
    default: "0",
  },

  /** Trusted issuers: their tokens are accepted too, and can be logged out (docs/issuers.md). */
  issuers: {
    variable: "TRUSTED_ISSUERS_FILE",
    isOption: true,
    kind: judgedArray(
      'the name of a JSON file with the issuers to trust: [{"name": "…", "issuer": "…", "jwks_uri": "…", "audience": "…", "algorithms": ["…"]}]',
      "an array of issuers, with the same members as in the file",
    ),
    isPart: true,
  },
  /** The services that may introspect and revoke every token (docs/services.md). Without it, none may. */
  clients: {
    variable: "OAUTH_CLIENTS_FILE",
    kind: judgedElsewhere(
      'the name of a JSON file with the clients: [{"client_id": "…", "client_secret_sha256": "…"}]',
    ),
    isPart: true,
  },
  /**
   * Where accounts are. `on`: in Redis. In an app, your own user table; if left out, they are in Redis, too. `off`, in an
   * app `false`: there are none, and no tokens of Curfew's own, so that only trusted issuers' tokens are accepted and no
   * key is needed (docs/issuers.md).
   */
  accounts: {
    variable: "ACCOUNTS",
    isOption: true,
    kind: {
      text: onOff.text,
      value: judgedElsewhere(
        "an object with create, findByEmail, findById, replacePasswordHash and, if need be, verifyPassword; or false",
      ).value,
    },
    default: "on",
    isPart: true,
  },
  /** How many characters a new password must have. */
  passwordMinLength: {
    variable: "PASSWORD_MIN_LENGTH",
    isOption: true,
    kind: whole(8, 128),
    default: "15",
  },

  /** How tokens travel in cookies. */
  cookies: {
    isOption: true,
    kind: together,
    default: "on",
    members: {
      /**
       * Whether cookies are `Secure`, with the prefixes `__Host-` and `__Secure-`. Off is for plain http in
       * development.
       */
      secure: { variable: "COOKIE_SECURE", kind: autoOnOff, default: "off", inProduction: "on" },
      /**
       * The refresh cookie is sent only to this path and below. If left out, it is where the routes are mounted. Set it
       * if a proxy in front takes off a part of the path.
       */
      refreshPath: {
        kind: matching(/^\/[\w./~-]*$/, 'the path at which browsers find the routes: "/auth"'),
      },
    },
  },
  /**
   * Other origins whose pages may act by cookie. They may also read the service's answers (CORS).
   */
  trustedOrigins: { variable: "CORS_ORIGINS", isOption: true, kind: listOf(webOrigin), default: "" },
  /**
   * Rate limits per address, account or session. `off`, in an app `false`, switches them off, for load tests. An IPv6
   * address counts as its /56. In an app, addresses are `req.ip`: set its `trust proxy`.
   */
  rateLimits: {
    variable: "RATE_LIMIT",
    isOption: true,
    kind: switchable,
    default: "on",
    members: {
      /**
       * Logins per address. The same limit holds for password changes and for clients' wrong secrets, counted apart.
       */
      login: { variable: "RATE_LIMIT_LOGIN", kind: rate, default: "10/m" },
      /**
       * Logins per account. The same limit holds for password changes, counted apart. An address from which the account
       * signed in within 30 days has a counter of its own, so that nobody can lock the owner out.
       */
      account: { variable: "RATE_LIMIT_ACCOUNT", kind: rate, default: "5/m" },
      /** New accounts per address. */
      register: { variable: "RATE_LIMIT_REGISTER", kind: rate, default: "60/h" },
      /** Refreshes per session, because many can share an address; per address for tokens that aren't genuine. */
      refresh: { variable: "RATE_LIMIT_REFRESH", kind: rate, default: "30/m" },
      /**
       * Logouts per address that ended nothing: without a token, with a forged one or with somebody else's. A logout
       * that has something to end is never limited, nor is a repeated one.
       */
      logout: { variable: "RATE_LIMIT_LOGOUT", kind: rate, default: "30/m" },
    },
  },

  /**
   * Whether `/` answers with a demo: a page to sign up, sign in and log out, and to see what becomes of the token.
   * Without it, `/` is a 404.
   */
  demo: { variable: "DEMO", kind: onOff, default: "on", inProduction: "off" },

  /**
   * Who may read `/metrics`: whoever sends this as `Authorization: Bearer …`. Without it, requests from the same machine
   * that came through no proxy (docs/monitoring.md).
   */
  metricsToken: {
    variable: "METRICS_TOKEN",
    kind: matching(
      /^[\x21-\x7e]{16,256}$/,
      "16 or more letters, digits and signs, as `openssl rand -hex 24` makes them",
    ),
    isSecret: true,
  },
  /** The lowest level that is logged. */
  logLevel: {
    variable: "LOG_LEVEL",
    kind: oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"),
    default: "info",
  },
  /** Your logger. If left out, warnings and errors go to standard error as JSON. */
  log: {
    isOption: true,
    kind: judgedElsewhere("a logger like pino's, with info(), warn() and error()"),
    isPart: true,
  },
} as const satisfies Record<string, Row | Group>;

export type Table = typeof TABLE;

type ValueOf<R> = R extends { members: infer Members; kind: { value: z.ZodType<infer IsOn> } }
  ? { readonly [Name in keyof Members]: ValueOf<Members[Name]> } | (false extends IsOn ? undefined : never)
  : R extends { kind: { value: z.ZodType<infer Value> } }
    ? Value | (R extends { default: string } ? never : undefined)
    : never;

type PlainName = { [Name in keyof Table]: Table[Name] extends { isPart: true } ? never : Name }[keyof Table];

/** Every setting as it is read, except the rows with `isPart`. */
export type Settings = { readonly [Name in keyof Pick<Table, PlainName>]: ValueOf<Table[Name]> };

const NAMES = Object.keys(TABLE) as (keyof Table)[];
const rowOf = (name: keyof Table): Row | Group => TABLE[name];

export const SETTING_NAMES = NAMES.filter((name): name is keyof Settings => !rowOf(name).isPart);

export type OptionName = {
  [Name in keyof Table]: Table[Name] extends { isOption: true } ? Name : never;
}[keyof Table];

export const OPTION_NAMES = NAMES.filter((name): name is OptionName => rowOf(name).isOption === true);
