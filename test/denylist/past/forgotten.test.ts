import type { WriteContext } from "../../../src/denylist/entry";
import type { ScriptCall } from "../../../src/denylist/writer";
import type { Way } from "../../../src/redis/redis";
import { createFakeRedis, createNode, epochOf, PREFIX } from "../../helpers/fake-redis";
import { createInstance } from "../../helpers/instance";

/** That nothing is written where what we knew was lost: it would take its place, and nobody would ever miss it. */
const [EPOCH, NEXT] = [epochOf(1000), epochOf(2000)];

const call: WriteContext = { sub: "u1", by: "u1", requester: { ip: null, userAgent: null }, nowMs: 0 };
const work: ScriptCall = { script: { lua: "", sha1: "" }, keys: () => [], args: () => ({}) };

/** An instance that wrote 2-0, and others before it. */
async function know(ways: Way[], ...events: string[]) {
  const fake = createFakeRedis(createNode(EPOCH, ...events), ways);
  const instance = createInstance(fake);
  const { ask, writer } = instance;
  const revoke = () => writer.revoke(call, work);
  await revoke();
  await ask();
  const written = () => fake.asked.filter((name) => name === "write").length;
  const acts = { revoke, open: () => writer.run(call, work), look: () => writer.look(call, work) };
  fake.asked.length = 0;
  /** The next write finds this, as after a MOVED. */
  function onNextWrite(happens: () => void): void {
    fake.beforeCommand = (name) => {
      if (name !== "write") return;
      fake.beforeCommand = () => undefined;
      happens();
    };
  }
  return { fake, ...instance, ...acts, acts, written, onNextWrite };
}

const lost = () => createNode(EPOCH, "1-0");
const ACTS = ["revoke", "open", "look"] as const;

describe.each([["one connection", ["checking"]] as const, ["two", ["checking", "confirming"]] as const])(
  "with %s",
  (_title, ways) => {
    const start = (...events: string[]) => know([...ways], ...events);

    it("a logout that is the first to reach a primary that took over isn't taken for the one that was lost", async () => {
      const { fake, epochs, ask, revoke, written, onNextWrite } = await start("1-0");
      onNextWrite(() => {
        fake.renew(lost());
      });
      expect(await revoke()).toBe("done");
      expect(written()).toBe(2);
      expect(fake.began).toEqual([epochs.known(PREFIX)]);
      expect(fake.told).toEqual(["denylist_lost"]);
      expect(await ask()).toBe(fake.began[0]);
    });

    it("also where we knew that primary from an earlier takeover, and back", async () => {
      const { fake, ask, revoke, onNextWrite } = await start("1-0");
      for (const generation of ["of the second", "of the first"]) {
        for (const way of ways) fake.setGeneration(way, generation);
        await ask();
      }
      onNextWrite(() => {
        fake.node = lost();
        for (const way of ways) fake.setGeneration(way, "of the second");
      });
      expect(await revoke()).toBe("done");
      expect(fake.began).toHaveLength(1);
    });

    it("nor where the connection that writes is the only one that leads there", async () => {
      const { fake, revoke, onNextWrite } = await start("1-0");
      onNextWrite(() => {
        fake.renew(lost(), ways.slice(-1));
      });
      expect(await revoke()).toBe("done");
      expect(fake.began).toHaveLength(1);
    });

    it("what is written in a new epoch is remembered there, and its own loss noticed", async () => {
      const { fake, ask, revoke, onNextWrite } = await start("1-0");
      onNextWrite(() => {
        fake.renew(lost());
      });
      await revoke();
      fake.renew(createNode(fake.node.epoch, ...fake.node.events.slice(0, -1)));
      await ask();
      expect(fake.began).toHaveLength(2);
    });

    describe.each(ACTS)("%s", (act) => {
      it("makes sure of its past where there was no sign, and is done in a new epoch", async () => {
        const { fake, acts, written } = await start("1-0");
        fake.node = lost();
        expect(await acts[act]()).toContain("done");
        expect(written()).toBe(2);
        expect(fake.began).toHaveLength(1);
      });

      it("is done in the same where the last event was trimmed", async () => {
        const { fake, acts, written } = await start("1-0");
        fake.node = createNode(EPOCH, "8-0", "9-0");
        expect(await acts[act]()).toContain("done");
        expect(written()).toBe(2);
        expect(fake.began).toEqual([]);
      });

      it("begins an epoch where there is none, and is done in that", async () => {
        const { fake, epochs, acts, written } = await start("1-0");
        fake.node.epoch = null;
        expect(await acts[act]()).toContain("done");
        expect(fake.began).toEqual([epochs.known(PREFIX)]);
        expect(written()).toBe(2);
      });

      it("tries twice, and not a third time", async () => {
        const { fake, acts, written } = await start("1-0");
        fake.beforeCommand = (name) => {
          if (name === "write") fake.node.epoch = null;
        };
        await expect(acts[act]()).rejects.toMatchObject({ code: "denylist_unavailable" });
        expect(written()).toBe(2);
      });
    });

    it("in another epoch nothing is missed of an earlier one", async () => {
      const { fake, epochs, past, revoke, written } = await start("1-0");
      expect(past.witnessed(PREFIX)).toBe("2-0");
      fake.node = createNode(NEXT, "1-0");
      await epochs.current(PREFIX, NEXT, undefined);
      expect(past.witnessed(PREFIX)).toBeUndefined();
      expect(await revoke()).toBe("done");
      expect(written()).toBe(1);
    });

    it("nothing of one shard is missed in another", async () => {
      const { fake, past, writer } = await start("1-0");
      fake.node = lost();
      await writer.revoke(call, work, "other:");
      expect(past.witnessed(PREFIX)).toBe("2-0");
      expect(past.witnessed("other:")).toBe("3-0");
      expect(fake.began).toEqual([]);
    });
  },
);

it("where nothing is ever lost, nothing is remembered or missed", async () => {
  const fake = createFakeRedis(createNode(EPOCH));
  const { past, writer, ask } = createInstance({ ...fake, redis: { ...fake.redis, mayForget: false } });
  await writer.revoke(call, work);
  await ask();
  expect(past.witnessed(PREFIX)).toBeUndefined();
});
