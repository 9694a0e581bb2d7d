import type { WriteContext } from "../../src/denylist/entry";
import type { ScriptCall } from "../../src/denylist/writer";
import { CurfewError } from "../../src/errors";
import type { Way } from "../../src/redis/redis";
import { createFakeRedis, createNode, epochOf, PREFIX } from "../helpers/fake-redis";
import { createInstance } from "../helpers/instance";

/** Whether what answers is what we knew: what is written. */
const EPOCH = epochOf(1000);
const UNSURE = { code: "denylist_unavailable" };

const call: WriteContext = { sub: "u1", by: "u1", requester: { ip: null, userAgent: null }, nowMs: 0 };
const work: ScriptCall = { script: { lua: "", sha1: "" }, keys: () => [], args: () => ({}) };

/** An instance that remembers this event, which it wrote itself, and what it does with a write. */
async function know(ways: Way[], ...events: string[]) {
  const fake = createFakeRedis(createNode(EPOCH, ...events), ways);
  const instance = createInstance(fake);
  const { writer } = instance;
  const revoke = () => writer.revoke(call, work);
  const open = () => writer.run(call, work);
  await revoke();
  fake.asked.length = 0;
  /** From now on another Redis answers that has this, once the next write has been acknowledged. */
  function switchAfterWrite(node = fake.node): void {
    const { write } = fake;
    fake.write = (args) => {
      const reply = write(args);
      fake.renew(node);
      fake.write = write;
      return reply;
    };
  }
  return { fake, ...instance, revoke, open, switchAfterWrite };
}

describe.each([["one connection", ["checking"]] as const, ["two", ["checking", "confirming"]] as const])(
  "a revocation, with %s",
  (_title, ways) => {
    it("costs one command, and its event is remembered", async () => {
      const { fake, ask, revoke } = await know([...ways]);
      expect(await revoke()).toBe("done");
      expect(fake.asked).toEqual(["write"]);
      fake.renew(createNode(EPOCH, "1-0"));
      expect(await ask()).toBe(fake.began[0]);
    });

    it("that changed nothing makes us remember the event that it was told of", async () => {
      const { fake, ask, revoke } = await know([...ways]);
      const id = fake.append();
      fake.write = () => ["done", id];
      await revoke();
      fake.renew(createNode(EPOCH, "1-0"));
      expect(await ask()).toBe(fake.began[0]);
    });

    it("of several remembers the latest, in whichever order they were answered", async () => {
      const { fake, ask, revoke } = await know([...ways], "1-0");
      const ids = ["10-0", "9-0", "9-5"];
      fake.node.events.push("9-0", "9-5", "10-0");
      for (const id of ids) {
        fake.write = () => ["done", id];
        await revoke();
      }
      fake.renew(createNode(EPOCH, "1-0", "9-0", "9-5"));
      expect(await ask()).toBe(fake.began[0]);
    });

    it("remembers no empty id: there is nothing to look for", async () => {
      const fake = createFakeRedis(createNode(EPOCH), [...ways]);
      const { ask, writer } = createInstance(fake);
      fake.write = () => ["done", ""];
      expect(await writer.revoke(call, work)).toBe("done");
      fake.renew();
      expect(await ask()).toBe(EPOCH);
      expect(fake.asked).not.toContain("xrange");
    });

    it("during which it may become another Redis is done if that has it, and what we knew", async () => {
      const { fake, revoke, switchAfterWrite } = await know([...ways]);
      switchAfterWrite();
      expect(await revoke()).toBe("done");
      expect(fake.began).toEqual([]);
      expect(fake.asked.at(-1)).toBe("xrange");
    });

    it("during which it becomes one that lost what we knew is done if that has it, in a new epoch", async () => {
      const { fake, ask, revoke, switchAfterWrite } = await know([...ways], "1-0");
      // Ours is 3-0, and stands where the other one was lost.
      switchAfterWrite(createNode(EPOCH, "1-0", "3-0"));
      expect(await revoke()).toBe("done");
      expect(fake.began).toHaveLength(1);
      // In that one it is remembered.
      fake.renew(createNode(fake.node.epoch, "1-0", "4-0"));
      await ask();
      expect(fake.began).toHaveLength(2);
    });

    it("during which it becomes one that doesn't have it is not done", async () => {
      const { fake, revoke, switchAfterWrite } = await know([...ways], "1-0");
      switchAfterWrite(createNode(EPOCH, "1-0", "2-0"));
      await expect(revoke()).rejects.toMatchObject(UNSURE);
      expect(fake.began).toEqual([]);
    });

    it("nor is it where all that one has is later: an empty one, in which an epoch has begun", async () => {
      const { revoke, switchAfterWrite } = await know([...ways], "1-0");
      switchAfterWrite(createNode(epochOf(2000), "9-0"));
      await expect(revoke()).rejects.toMatchObject(UNSURE);
    });

    it("that isn't done isn't remembered: its loss is none", async () => {
      const { fake, ask, revoke, switchAfterWrite } = await know([...ways], "1-0");
      switchAfterWrite(createNode(EPOCH, "1-0", "2-0"));
      await expect(revoke()).rejects.toMatchObject(UNSURE);
      fake.renew();
      expect(await ask()).toBe(EPOCH);
    });

    it("during which it becomes another twice is looked for in the last", async () => {
      const { fake, revoke, switchAfterWrite } = await know([...ways], "1-0");
      switchAfterWrite();
      let looks = 0;
      fake.beforeAnswer = (name) => {
        looks += Number(name === "xrange");
        // First for what we knew, then for what was written: it is found, and now another one answers.
        if (name === "xrange" && looks === 2) fake.renew(createNode(EPOCH, "1-0", "2-0"));
        return undefined;
      };
      await expect(revoke()).rejects.toMatchObject(UNSURE);
    });
  },
);

it("what fails for another reason fails, and isn't written again", async () => {
  const { fake, revoke } = await know(["checking"]);
  const failure = new CurfewError("denylist_unavailable", { cause: new Error("READONLY") });
  fake.write = () => {
    throw failure;
  };
  await expect(revoke()).rejects.toBe(failure);
  expect(fake.asked).toEqual(["write"]);
  expect(fake.began).toEqual([]);
});

it("what is written waits for replicas, beside its own keys; what is only asked doesn't", async () => {
  const { fake, writer, revoke, open } = await know(["checking"]);
  const confirmed = jest.spyOn(fake.redis, "runConfirmed");
  await writer.look(call, work);
  expect(confirmed).not.toHaveBeenCalled();
  await revoke();
  await open();
  const written = [work.script, expect.anything(), expect.anything(), `${PREFIX}probe`];
  expect(confirmed.mock.calls).toEqual([written, written]);
});

it("a script is told who asks for what, when, until when, and what we knew, in the shard that it runs in", async () => {
  const { fake, writer } = await know(["checking"]);
  const run = jest.spyOn(fake.redis, "run");
  fake.redis.deadlineMs = () => 5000;
  const requester = { ip: "::1", userAgent: "x".repeat(200) };
  const keys = (prefix: string) => [`${prefix}own`];
  const args = (prefix: string) => ({ own: `of ${prefix}` });
  await writer.look({ ...call, requester, nowMs: 1000, note: "why" }, { ...work, keys, args });
  expect(run.mock.calls).toEqual([
    [
      work.script,
      [`${PREFIX}events`, `${PREFIX}denylist:epoch`, `${PREFIX}own`],
      {
        ...{ now_ms: 1000, now: "1970-01-01T00:00:01.000Z", sub: "u1", by: "u1", note: "why" },
        ...{ ip: "::1", user_agent: "x".repeat(128), deadline_ms: 5000, events_kept: 100_000 },
        ...{ witnessed: "1-0", own: `of ${PREFIX}` },
      },
    ],
  ]);
});

describe("what lets somebody in", () => {
  it("is done where nothing changed", async () => {
    const { open } = await know(["checking"]);
    expect(await open()).toEqual(["done", "2-0"]);
  });

  it("is not where it may have become another Redis, although that has it: nothing tells", async () => {
    const { open, switchAfterWrite } = await know(["checking"]);
    switchAfterWrite();
    await expect(open()).rejects.toMatchObject(UNSURE);
  });

  it("nor where its epoch ended meanwhile", async () => {
    const { fake, epochs, open } = await know(["checking"]);
    fake.beforeAnswer = async () => {
      fake.beforeAnswer = () => undefined;
      await epochs.current(PREFIX, epochOf(2000), undefined);
    };
    await expect(open()).rejects.toMatchObject(UNSURE);
  });
});

describe("where replicas confirm", () => {
  const WAYS: Way[] = ["checking", "confirming"];

  it("a write asks who is at its own connection, and a question at the other", async () => {
    const { fake, ask, writer, open } = await know(WAYS);
    fake.renew(fake.node, ["checking"]);
    await open();
    expect(fake.asked).toEqual(["write"]);
    await ask();
    fake.asked.length = 0;
    fake.renew(fake.node, ["confirming"]);
    await ask();
    expect(fake.asked).toEqual(["get"]);
    await writer.look(call, work);
    expect(fake.asked).toEqual(["get", "write"]);
    await open();
    expect(fake.asked).toEqual(["get", "write", "get", "xrevrange", "xrange", "write"]);
  });

  it("what was written is looked for where it was written", async () => {
    const { fake, revoke, switchAfterWrite } = await know(WAYS);
    const asked = jest.spyOn(fake.redis, "askBy");
    switchAfterWrite();
    await revoke();
    expect(asked.mock.calls.map(([way]) => way)).toEqual(["confirming", "confirming"]);
  });

  it("what is written while somebody looks is remembered, and not what was to be looked for", async () => {
    const { fake, ask, revoke } = await know(WAYS, "1-0");
    fake.renew(fake.node, ["checking"]);
    fake.beforeAnswer = async (name) => {
      if (name !== "xrange") return;
      fake.beforeAnswer = () => undefined;
      await revoke();
    };
    await ask();
    fake.renew(createNode(EPOCH, "1-0", "2-0"));
    expect(await ask()).toBe(fake.began[0]);
  });
});
