import { createRedis } from "../../src/redis/redis";
import { linkTo } from "../helpers/fake-link";

/** Redis as the rest of the code sees it, over one connection. */
const SCRIPT = { lua: "return 'done'", sha1: "sha1" };

function connect() {
  const link = linkTo("a");
  const redis = createRedis(link, undefined, { timeoutMs: 250, minReplicas: 0 });
  const run = () => redis.run(SCRIPT, ["key"], { name: "value" });
  return { link, redis, run };
}

it("nothing is sent where it is known that nothing may be asked, and the reason is told", async () => {
  const { link, redis, run } = connect();
  const cause = new Error("not connected");
  link.failure = () => cause;
  await expect(run()).rejects.toMatchObject({ code: "denylist_unavailable", cause });
  await expect(redis.probe("probe")).rejects.toMatchObject({ cause });
  expect(link.sent).toEqual([]);
});

it("what fails is told to the connection", async () => {
  const { link, redis } = connect();
  const failure = new Error("READONLY");
  await expect(redis.ask(() => Promise.reject(failure))).rejects.toMatchObject({ cause: failure });
  expect(link.blamed).toEqual([failure]);
});

describe("a script", () => {
  it("is called by its name, with its keys and its arguments", async () => {
    const { link, run } = connect();
    expect(await run()).toBe("done");
    expect(link.sent).toEqual([["evalsha", "sha1", 1, "key", "name", "value"]]);
  });

  it("that Redis doesn't know is sent whole", async () => {
    const { link, run } = connect();
    link.replies["evalsha"] = new Error("NOSCRIPT No matching script. Please use EVAL.");
    expect(await run()).toBe("done");
    expect(link.sent.at(-1)).toEqual(["eval", SCRIPT.lua, 1, "key", "name", "value"]);
  });

  it("that fails isn't sent again: it may have been done", async () => {
    const { link, run } = connect();
    const cause = new Error("ERR it did half of it");
    link.replies["evalsha"] = cause;
    await expect(run()).rejects.toMatchObject({ code: "denylist_unavailable", cause });
    expect(link.sent).toHaveLength(1);
  });

  it("that writes waits for nobody where no replicas are asked for", async () => {
    const { link, redis } = connect();
    expect(await redis.runConfirmed(SCRIPT, [], {}, "touch")).toBe("done");
    expect(link.sent).toEqual([["evalsha", "sha1", 0]]);
    expect(redis.ways).toEqual(["checking"]);
  });
});

it.each([true, false])(
  "whether another may answer in its place is what the connection says: %s",
  (mayForget) => {
    const link = { ...linkTo("a"), mayForget };
    expect(createRedis(link, undefined, { timeoutMs: 250, minReplicas: 0 }).mayForget).toBe(mayForget);
  },
);
