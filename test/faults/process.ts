import { eventually } from "../helpers/client";
import type { TestRedis } from "../helpers/redis";
import { CHECKED, REFUSED, type Fault } from "./fault";
import type { Stage } from "./stage";

/** A Redis that is not there, or does not answer. */
export const PROCESS: Fault[] = [
  {
    name: "killed",
    what: "SIGKILL; later started again with its append-only file",
    breakIt: ({ redis }) => redis.kill(),
    mendIt: ({ redis }) => redis.start(),
    expect: REFUSED,
  },
  {
    name: "hung",
    what: "SIGSTOP, later SIGCONT",
    breakIt: ({ redis }) => process.kill(redis.pid, "SIGSTOP"),
    mendIt: ({ redis }) => process.kill(redis.pid, "SIGCONT"),
    expect: REFUSED,
  },
  {
    name: "busy with itself",
    what: "DEBUG SLEEP 1.5",
    breakIt: ({ redis }) => {
      void redis.admin.call("DEBUG", "SLEEP", "1.5");
    },
    mendIt: ({ redis }) => redis.admin.ping(),
    expect: REFUSED,
  },
  {
    name: "LOADING",
    what: "DEBUG RELOAD of 500 keys with 20 ms for each",
    breakIt: startLoading,
    mendIt: finishLoading,
    expect: REFUSED,
  },
  {
    name: "BUSY",
    what: "a Lua script that doesn't end, until SCRIPT KILL",
    breakIt: startEndlessScript,
    mendIt: ({ redis }) => redis.admin.script("KILL"),
    expect: REFUSED,
  },
  {
    name: "paused",
    what: "CLIENT PAUSE 1500 ALL",
    breakIt: ({ redis }) => redis.admin.call("CLIENT", "PAUSE", "1500", "ALL"),
    mendIt: ({ redis }) => redis.admin.ping(),
    expect: REFUSED,
  },
  {
    name: "writes paused",
    what: "CLIENT PAUSE … WRITE, later CLIENT UNPAUSE",
    breakIt: ({ redis }) => redis.admin.call("CLIENT", "PAUSE", "60000", "WRITE"),
    mendIt: ({ redis }) => redis.admin.call("CLIENT", "UNPAUSE"),
    // Who writes waits, and so does whatever comes after that on its connection.
    expect: { ...CHECKED, check: [204, 503], revokedCheck: [401, 503], readyz: [200, 503] },
  },
];

/** Another connection, which works also while Redis loads. */
async function withAnother(
  { admin }: TestRedis,
  use: (other: TestRedis["admin"]) => Promise<unknown>,
): Promise<void> {
  const other = admin.duplicate({ enableReadyCheck: false });
  await use(other);
  other.disconnect();
}

const isLoading = async (client: TestRedis["admin"]) =>
  (await client.info("persistence")).includes("\nloading:1");

async function startLoading({ redis }: Stage): Promise<void> {
  const { admin } = redis;
  await admin.config("SET", "rdbcompression", "no");
  await admin.config("SET", "loading-process-events-interval-bytes", "1024");
  await admin.call("DEBUG", "POPULATE", "500", "filler", "1024");
  await admin.config("SET", "key-load-delay", "20000");
  void admin.call("DEBUG", "RELOAD");
  await withAnother(redis, (other) => eventually(() => isLoading(other)));
}

async function finishLoading({ redis }: Stage): Promise<void> {
  await withAnother(redis, (other) => other.config("SET", "key-load-delay", "0"));
  await redis.admin.ping();
}

async function startEndlessScript({ redis: { admin } }: Stage): Promise<void> {
  await admin.config("SET", "busy-reply-threshold", "1");
  const other = admin.duplicate();
  other.eval("while true do end", 0).catch(() => {
    other.disconnect();
  });
  await eventually(() =>
    admin.ping().then(
      () => false,
      (error: unknown) => String(error).includes("BUSY"),
    ),
  );
}
