import { createFakeRedis, createNode, epochOf, PREFIX } from "../../helpers/fake-redis";
import { createInstance } from "../../helpers/instance";

/** Whether what answers is what we knew: what is read. */
const [FIRST, SECOND] = [epochOf(1000), epochOf(2000)];

/** An instance that has read from a Redis with these events, and one connection to it. */
async function know(...events: string[]) {
  const fake = createFakeRedis(createNode(FIRST, ...events));
  const instance = createInstance(fake);
  expect(await instance.ask()).toBe(FIRST);
  fake.asked.length = 0;
  return { fake, ...instance };
}

describe("what is asked", () => {
  it("costs nothing more while nothing changes", async () => {
    const { fake, ask } = await know("1-0");
    await ask();
    expect(fake.asked).toEqual(["get"]);
  });

  it("ten times at once, right after it may be another Redis, is answered to none before a look is through", async () => {
    const { fake, epochs, ask } = await know("1-0", "2-0");
    fake.renew(createNode(FIRST, "1-0"));
    const answers = await Promise.all(Array.from({ length: 10 }, ask));
    expect(fake.began).toHaveLength(1);
    expect(answers).toEqual(answers.map(() => epochs.known(PREFIX)));
  });

  it("of a Redis that may be another before it answers is asked again, after a look", async () => {
    const { fake, past, epochs } = await know("1-0", "2-0");
    const question = jest.fn(async () => {
      const known = epochs.known(PREFIX);
      if (known === FIRST) fake.renew(createNode(FIRST, "1-0"));
      return Promise.resolve(known);
    });
    expect(await past.ask(PREFIX, question)).toBe(fake.began[0]);
    expect(question).toHaveBeenCalledTimes(2);
  });

  it("when it isn't known who answers is asked again as well", async () => {
    const { fake, past } = await know("1-0");
    const question = jest.fn(() => {
      if (question.mock.calls.length === 1) {
        fake.setGeneration("checking", undefined);
        fake.beforeAnswer = () => {
          fake.renew();
          fake.beforeAnswer = () => undefined;
          return undefined;
        };
      }
      return Promise.resolve("answer");
    });
    expect(await past.ask(PREFIX, question)).toBe("answer");
    expect(question).toHaveBeenCalledTimes(2);
  });

  it("is asked again if an epoch ended meanwhile", async () => {
    const { fake, past, epochs } = await know("1-0");
    const question = jest.fn(async () => {
      fake.node.epoch = SECOND;
      return epochs.current(PREFIX, SECOND, undefined);
    });
    await past.ask(PREFIX, question);
    expect(question).toHaveBeenCalledTimes(2);
  });

  it("isn't asked at all where a look fails", async () => {
    const { fake, past } = await know("1-0");
    fake.renew();
    fake.redis.askBy = () => Promise.reject(new Error("no answer"));
    const question = jest.fn(() => Promise.resolve());
    await expect(past.ask(PREFIX, question)).rejects.toThrow("no answer");
    expect(question).not.toHaveBeenCalled();
  });

  it("in one shard is looked at by itself, whatever is known of another", async () => {
    const { fake, past } = await know("1-0");
    await past.ask("other:", () => Promise.resolve());
    expect(fake.asked).toEqual(["get", "xrevrange"]);
  });
});

describe("a look", () => {
  it("during which it may become another Redis doesn't count: there is one more", async () => {
    const { fake, epochs, ask } = await know("1-0", "2-0");
    fake.renew();
    fake.beforeAnswer = () => {
      fake.beforeAnswer = () => undefined;
      fake.renew(createNode(FIRST, "1-0"));
      return undefined;
    };
    expect(await ask()).toBe(epochs.known(PREFIX));
    expect(fake.began).toEqual([epochs.known(PREFIX)]);
  });

  it("during which it becomes another Redis remembers nothing of the one that answered", async () => {
    const fake = createFakeRedis(createNode(FIRST, "1-0", "2-0"));
    fake.beforeAnswer = () => {
      fake.beforeAnswer = () => undefined;
      fake.renew(createNode(FIRST, "1-0"));
      return undefined;
    };
    expect(await createInstance(fake).ask()).toBe(FIRST);
    expect(fake.began).toEqual([]);
  });

  it("that a loss overtakes remembers nothing from before the loss", async () => {
    const { fake, epochs, ask } = await know("1-0");
    fake.renew(createNode(FIRST, "1-0", "9-0"));
    fake.beforeAnswer = async (name) => {
      if (name !== "xrevrange") return;
      fake.beforeAnswer = () => undefined;
      fake.node = createNode(null);
      await epochs.current(PREFIX, null, FIRST);
    };
    await ask();
    fake.renew();
    expect(await ask()).toBe(epochs.known(PREFIX));
    expect(fake.began).toEqual([epochs.known(PREFIX)]);
  });

  it("while it isn't known who answers remembers nothing of it", async () => {
    const fake = createFakeRedis(createNode(FIRST, "1-0", "2-0"));
    fake.setGeneration("checking", undefined);
    let looks = 0;
    fake.beforeCommand = (name) => {
      looks += Number(name === "xrevrange");
      if (looks === 2) fake.renew(createNode(FIRST, "1-0"));
    };
    expect(await createInstance(fake).ask()).toBe(FIRST);
    expect(fake.began).toEqual([]);
  });
});

describe("of the last event", () => {
  it("nothing is to be said while it is there", async () => {
    const { fake, ask } = await know("1-0", "2-0");
    fake.renew(createNode(FIRST, "1-0", "2-0", "3-0"));
    expect(await ask()).toBe(FIRST);
  });

  it("that it is gone is a loss, though others follow where it stood", async () => {
    const { fake, ask } = await know("1-0", "2-0");
    fake.renew(createNode(FIRST, "1-0", "3-0"));
    expect(await ask()).toBe(fake.began[0]);
    expect(fake.told).toEqual(["denylist_lost"]);
  });

  it("that it is gone, and none are left, is a loss", async () => {
    const { fake, ask } = await know("1-0");
    fake.renew(createNode(FIRST));
    expect(await ask()).toBe(fake.began[0]);
  });

  it("that it is gone is none where all that are left are later: it was trimmed", async () => {
    const { fake, ask } = await know("1-0", "2-0");
    fake.renew(createNode(FIRST, "10-0", "11-0"));
    expect(await ask()).toBe(FIRST);
    fake.renew(createNode(FIRST, "10-0"));
    expect(await ask()).toBe(fake.began[0]);
  });

  it("nothing is asked where its epoch is over: no other one begins at each reconnect", async () => {
    const { fake, ask } = await know("1-0", "9-0");
    fake.renew(createNode(FIRST, "1-0"));
    const next = await ask();
    for (let times = 0; times < 3; times += 1) {
      fake.renew();
      expect(await ask()).toBe(next);
    }
    expect(fake.began).toHaveLength(1);
  });

  it("the one of an earlier epoch is forgotten, although it was later: the next loss is noticed", async () => {
    const { fake, ask } = await know("1-0", "9-0");
    fake.renew(createNode(FIRST, "1-0"));
    const next = await ask();
    fake.renew();
    await ask();
    fake.renew(createNode(next, "1-0"));
    expect(await ask()).toBe(fake.began[1]);
  });

  it("in another epoch nothing is asked, and whoever is told of it is in that one", async () => {
    const { fake, ask } = await know("1-0", "2-0");
    fake.renew(createNode(SECOND, "1-0"));
    expect(await ask()).toBe(SECOND);
    expect(fake.began).toEqual([]);
  });
});

describe("what others wrote", () => {
  it("is remembered when we see it, since it may be lost unless we tell", async () => {
    const { fake, ask } = await know("1-0");
    fake.append();
    fake.renew();
    await ask();
    fake.renew(createNode(FIRST, "1-0"));
    expect(await ask()).toBe(fake.began[0]);
  });

  it("isn't where replicas confirm: it may be what none has confirmed, and may be lost", async () => {
    const fake = createFakeRedis(createNode(FIRST, "1-0", "2-0"), ["checking", "confirming"]);
    const { ask } = createInstance(fake);
    await ask();
    fake.renew(createNode(FIRST, "1-0"));
    expect(await ask()).toBe(FIRST);
    expect(fake.began).toEqual([]);
  });
});
