import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../helpers/client";
import { readAclRules } from "../helpers/redis";
import { ANSWERED, CHECKED, MOMENTARY, REFUSED, type Fault } from "./fault";
import type { Stage } from "./stage";

const configure = (setting: string, broken: string, whole: string) => ({
  breakIt: ({ redis }: Stage) => redis.admin.config("SET", setting, broken),
  mendIt: ({ redis }: Stage) => redis.admin.config("SET", setting, whole),
});

const allow = (...rules: string[]) => ({
  breakIt: ({ redis }: Stage) => redis.admin.call("ACL", "SETUSER", "curfew", ...rules),
  mendIt: ({ redis }: Stage) =>
    redis.admin.call("ACL", "SETUSER", "curfew", "resetkeys", ...readAclRules().split(" ")),
});

const cutOff = ({ redis }: Stage) => redis.admin.call("CLIENT", "KILL", "USER", "curfew");

/** Puts something else under a key, in one step: between two, the key would be missing. */
const replaceKey = (keyOf: (stage: Stage) => Promise<string>, command: "set" | "rpush") => ({
  breakIt: async (stage: Stage) => {
    const key = await keyOf(stage);
    await stage.redis.admin
      .multi([
        ["rename", key, `kept:${key}`],
        [command, key, "what is this?"],
      ])
      .exec();
  },
  mendIt: async ({ redis: { admin } }: Stage) => {
    for (const kept of await admin.keys("kept:*")) await admin.rename(kept, kept.replace("kept:", ""));
  },
});

const epochKey = () => Promise.resolve("curfew:denylist:epoch");

/** A Redis that answers, and says no. */
export const REFUSALS: Fault[] = [
  {
    name: "OOM",
    what: "maxmemory 1, noeviction",
    ...configure("maxmemory", "1", "0"),
    expect: CHECKED,
    warns: true,
  },
  {
    name: "NOREPLICAS",
    what: "min-replicas-to-write 1, and there is none",
    ...configure("min-replicas-to-write", "1", "0"),
    expect: CHECKED,
    warns: true,
  },
  {
    name: "MISCONF",
    what: "BGSAVE failed, because its folder is gone, and stop-writes-on-bgsave-error",
    breakIt: failToSave,
    mendIt: async ({ redis: { admin, dir } }) => {
      await admin.config("SET", "save", "", "dir", dir);
    },
    expect: CHECKED,
    warns: true,
  },
  {
    name: "READONLY",
    what: "REPLICAOF a port on which nothing listens",
    breakIt: ({ redis }) => redis.admin.call("REPLICAOF", "127.0.0.1", "1"),
    mendIt: ({ redis }) => redis.admin.call("REPLICAOF", "NO", "ONE"),
    expect: REFUSED,
    isFoundOut: true,
  },
  {
    name: "MASTERDOWN",
    what: "the same, with replica-serve-stale-data no",
    breakIt: async ({ redis: { admin } }) => {
      await admin.config("SET", "replica-serve-stale-data", "no");
      await admin.call("REPLICAOF", "127.0.0.1", "1");
    },
    mendIt: async ({ redis: { admin } }) => {
      await admin.call("REPLICAOF", "NO", "ONE");
      await admin.config("SET", "replica-serve-stale-data", "yes");
    },
    expect: REFUSED,
  },
  {
    name: "CLUSTERDOWN",
    what: "started again as a node of a cluster that lacks the others",
    breakIt: async ({ redis }) => {
      await redis.kill();
      await redis.start(["--cluster-enabled yes"]);
    },
    mendIt: async ({ redis }) => {
      await redis.kill();
      await redis.start();
    },
    expect: REFUSED,
  },
  {
    name: "NOPERM",
    what: "ACL SETUSER … -@all: no command is allowed",
    ...allow("-@all"),
    expect: REFUSED,
  },
  {
    name: "NOPERM for keys",
    what: "ACL SETUSER … resetkeys: no key is allowed",
    ...allow("resetkeys"),
    expect: REFUSED,
  },
  {
    name: "NOPERM for scripts",
    what: "ACL SETUSER … -eval -evalsha",
    ...allow("-eval", "-evalsha"),
    expect: CHECKED,
  },
  {
    name: "WRONGPASS",
    what: "another password, and CLIENT KILL",
    breakIt: async (stage) => {
      await stage.redis.admin.call("ACL", "SETUSER", "curfew", "resetpass", ">another");
      await cutOff(stage);
    },
    mendIt: ({ redis }) =>
      redis.admin.call("ACL", "SETUSER", "curfew", "resetpass", `>${new URL(redis.url).password}`),
    expect: REFUSED,
  },
  {
    name: "max clients",
    what: "maxclients 1, which is somebody else, and CLIENT KILL",
    breakIt: async (stage) => {
      await stage.redis.admin.config("SET", "maxclients", "1");
      await cutOff(stage);
    },
    mendIt: ({ redis }) => redis.admin.config("SET", "maxclients", "10000"),
    expect: REFUSED,
  },
  {
    name: "connections killed",
    what: "CLIENT KILL, once",
    breakIt: cutOff,
    expect: MOMENTARY,
  },
  {
    name: "NOSCRIPT",
    what: "SCRIPT FLUSH",
    breakIt: ({ redis }) => redis.admin.script("FLUSH"),
    expect: ANSWERED,
  },
  {
    name: "WRONGTYPE",
    what: "the epoch is a list",
    ...replaceKey(epochKey, "rpush"),
    expect: REFUSED,
  },
  {
    name: "malformed epoch",
    what: 'the epoch is "what is this?"',
    ...replaceKey(epochKey, "set"),
    expect: REFUSED,
  },
  {
    name: "WRONGTYPE of a user's",
    what: "a user's list of sessions is a string",
    ...replaceKey(newestUserSessionsKey, "set"),
    expect: CHECKED,
  },
];

async function failToSave({ redis: { admin } }: Stage): Promise<void> {
  const gone = mkdtempSync(join(tmpdir(), "curfew-gone-"));
  await admin.config("SET", "dir", gone, "save", "3600 1000000");
  rmdirSync(gone);
  await admin.bgsave();
  await eventually(async () => (await admin.info("persistence")).includes("rdb_last_bgsave_status:err"));
}

/** Whose sessions are about to be asked for: the user who came last. */
async function newestUserSessionsKey({ redis: { admin } }: Stage): Promise<string> {
  const [[, fields] = ["", []]] = await admin.xrevrange("curfew:events", "+", "-", "COUNT", 1);
  return `curfew:user-sessions:${fields[fields.indexOf("sub") + 1] ?? ""}`;
}
