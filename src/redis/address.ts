/** Where Redis is, and how its nodes are found. */
export type Address =
  | { mode: "single"; url: string }
  | { mode: "socket"; path: string }
  | ({ mode: "sentinel"; name: string; sentinelPassword: string | undefined } & Nodes)
  | ({ mode: "cluster" } & Nodes);

type Nodes = {
  nodes: { host: string; port: number }[];
  username: string | undefined;
  password: string | undefined;
  db: number;
  hasTls: boolean;
};

const DATABASE = /^\/?(\d{1,3})?$/;

const DEFAULT_PORT = { sentinel: 26_379, cluster: 6379 };

/** Reads `redis://user:password@host:port/db`. Throws a TypeError as readNodes does. */
export function readSingle(text: string): Address & { mode: "single" } {
  // ioredis, unlike whoever else reads URLs, stumbles over space around it.
  const url = text.trim();
  if (url.includes(",")) throw new TypeError("it names several nodes");
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^rediss?:$/.test(parsed.protocol)) throw new TypeError("it is not a Redis URL");
  assertNoOptions(url);
  // Else ioredis ends the process when it connects, or goes to another Redis.
  if (!DATABASE.test(parsed.pathname)) throw new TypeError("its database is no number");
  decode(parsed.username);
  decode(parsed.password);
  return { mode: "single", url };
}

/**
 * Reads `redis://user:password@host:port,host:port,…`: what one node says of user, password and TLS holds for all. Throws
 * a TypeError that repeats nothing of it, because there may be a password in it.
 */
export function readNodes(text: string, mode: "sentinel" | "cluster"): Nodes {
  assertNoOptions(text);
  const urls = text.split(",").map((item) => {
    const node = item.trim();
    const url = node.includes("://") ? node : `redis://${node}`;
    if (!URL.canParse(url)) throw new TypeError("one of its nodes can't be read");
    return { url: new URL(url), isWhole: node.includes("://") };
  });
  const wholes = urls.filter(({ isWhole }) => isWhole).map(({ url }) => url);
  const [first] = wholes;
  if (!first || !/^rediss?:$/.test(first.protocol)) throw new TypeError("it is not a Redis URL");
  if (wholes.some((url) => !sayTheSame(url, first))) {
    throw new TypeError("its nodes differ in user, password, database or TLS");
  }
  const db = DATABASE.exec(first.pathname);
  if (!db || (mode === "cluster" && db[1] !== undefined && db[1] !== "0")) {
    throw new TypeError(mode === "cluster" ? "a cluster has one database only" : "its database is no number");
  }
  return {
    nodes: urls.map(({ url }) => ({
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? DEFAULT_PORT[mode] : Number(url.port),
    })),
    username: first.username === "" ? undefined : decode(first.username),
    password: first.password === "" ? undefined : decode(first.password),
    db: Number(db[1] ?? 0),
    hasTls: first.protocol === "rediss:",
  };
}

/** ioredis would take them for its own, and for more than ours: `enableOfflineQueue` for one ends failing closed. */
function assertNoOptions(text: string): void {
  if (text.includes("?")) throw new TypeError("it has options behind a ? (one in a password is written %3F)");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new TypeError("its user or password has a % that encodes nothing (a % itself is written %25)");
  }
}

const sayTheSame = (one: URL, other: URL) =>
  one.protocol === other.protocol &&
  one.username === other.username &&
  one.password === other.password &&
  one.pathname === other.pathname;
