import { createLookUps } from "../../src/denylist/look-ups";
import { CurfewError } from "../../src/errors";
import { withBudget } from "../../src/redis/budget";
import { createFakeRedis, createNode, epochOf, PREFIX } from "../helpers/fake-redis";
import { createInstance } from "../helpers/instance";

const EPOCH = epochOf(1000);
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function start() {
  const fake = createFakeRedis(createNode(EPOCH));
  const { past } = createInstance(fake);
  const lookUp = createLookUps(fake.redis, past);
  await lookUp(PREFIX, ["first"]);
  fake.asked.length = 0;
  return { fake, lookUp };
}

it("asks once for all that look at the same moment", async () => {
  const { fake, lookUp } = await start();
  const found = await Promise.all([lookUp(PREFIX, ["a", "b"]), lookUp(PREFIX, ["c"]), lookUp(PREFIX, ["d"])]);
  expect(found).toEqual(found.map(() => ({ anyExists: false, epoch: EPOCH })));
  expect(fake.asked).toEqual(["exists", "exists", "exists", "get"]);
});

it("gives each an answer of its own", async () => {
  const { fake, lookUp } = await start();
  fake.node.entries.set("b", "why");
  const found = await Promise.all([lookUp(PREFIX, ["a"]), lookUp(PREFIX, ["b"]), lookUp(PREFIX, ["c"])]);
  expect(found.map(({ anyExists }) => anyExists)).toEqual([false, true, false]);
});

it("asks again for who comes later", async () => {
  const { fake, lookUp } = await start();
  const first = lookUp(PREFIX, ["a"]);
  await turn();
  fake.node.entries.set("b", "why");
  const second = lookUp(PREFIX, ["b"]);
  expect(await first).toMatchObject({ anyExists: false });
  expect(await second).toMatchObject({ anyExists: true });
  expect(fake.asked).toEqual(["exists", "get", "exists", "get"]);
});

it("fails for all that asked together, and for nobody later", async () => {
  const { fake, lookUp } = await start();
  fake.beforeCommand = () => {
    throw new Error("LOADING");
  };
  const both = await Promise.allSettled([lookUp(PREFIX, ["a"]), lookUp(PREFIX, ["b"])]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  fake.beforeCommand = () => undefined;
  expect(await lookUp(PREFIX, ["a"])).toMatchObject({ anyExists: false });
});

it("hands on why Redis gave no answer as it is", async () => {
  const { fake, lookUp } = await start();
  const refusal = new CurfewError("denylist_unavailable", { cause: new Error("NOREPLICAS") });
  fake.beforeCommand = () => {
    throw refusal;
  };
  await expect(lookUp(PREFIX, ["a"])).rejects.toBe(refusal);
  await expect(withBudget(100, () => lookUp(PREFIX, ["a"]))).rejects.toBe(refusal);
});

it("takes no more of a request's time than is left, whoever else waits", async () => {
  const { fake, lookUp } = await start();
  fake.beforeAnswer = () => new Promise((resolve) => setTimeout(resolve, 100));
  const others = lookUp(PREFIX, ["a"]);
  await expect(withBudget(20, () => lookUp(PREFIX, ["b"]))).rejects.toMatchObject({
    code: "denylist_unavailable",
  });
  expect(await others).toMatchObject({ anyExists: false });
});

it("may fail when nobody had the time to wait for it", async () => {
  const { fake, lookUp } = await start();
  const failed = new Promise((resolve) => {
    fake.beforeCommand = () => {
      setImmediate(resolve);
      throw new Error("LOADING");
    };
  });
  await expect(withBudget(0, () => lookUp(PREFIX, ["a"]))).rejects.toMatchObject({
    code: "denylist_unavailable",
  });
  // Jest fails for a rejection that nobody handles.
  await failed;
});
