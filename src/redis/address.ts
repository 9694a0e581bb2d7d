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
  // Unlike other readers of URLs, ioredis stumbles over white space around them.
  const url = text.trim();
  if (url.includes(",")) throw new TypeError("it names several nodes");
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^rediss?:$/.test(parsed.protocol)) throw new TypeError("it is not a Redis URL");
  assertNoOptions(url);
  // Otherwise ioredis ends the process when it connects, or connects to another Redis.
  if (!DATABASE.test(parsed.pathname)) throw new TypeError("its database is not a number");
  decode(parsed.username);
  decode(parsed.password);
  return { mode: "single", url };
}

/**
 * Reads `redis://user:password@host:port,host:port,…`: the user, password and TLS of one node apply to all. Throws a
 * TypeError that doesn't quote the text, because it may contain a password.
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
    throw new TypeError(
      mode === "cluster" ? "a cluster has only database 0" : "its database is not a number",
    );
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

/** ioredis would let them override Curfew's own options: `enableOfflineQueue`, for one, would break failing closed. */
function assertNoOptions(text: string): void {
  if (text.includes("?")) throw new TypeError("it has options behind a ? (in a password, write ? as %3F)");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new TypeError("its user or password has a % that encodes nothing (write % itself as %25)");
  }
}

const sayTheSame = (one: URL, other: URL) =>
  one.protocol === other.protocol &&
  one.username === other.username &&
  one.password === other.password &&
  one.pathname === other.pathname;
