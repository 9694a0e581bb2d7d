import pino from "pino";
import { createMirror } from "../../../src/denylist/mirror/mirror";
import type { Client } from "../../../src/redis/commands";
import type { TrackingListener } from "../../../src/redis/links/tracking";
import type { Redis } from "../../../src/redis/redis";
import { createOneShard } from "../../../src/redis/shards";
import { createFakeRedis, createNode, epochOf, PREFIX } from "../../helpers/fake-redis";
import { createInstance } from "../../helpers/instance";

const BEAT_MS = 250;
const NOTHING = { state: "waiting", entries: 0, stalenessMs: undefined };
const beat = () => jest.advanceTimersByTimeAsync(BEAT_MS);

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  jest.useRealTimers();
});
const stops: (() => void)[] = [];

/** A mirror that is fresh, of a Redis in memory. */
async function start(toleranceMs = 0) {
  const fake = createFakeRedis(createNode(epochOf(1000)));
  const { past, epochs } = createInstance(fake, toleranceMs);
  stops.push(past.watch([PREFIX]));
  let listener: TrackingListener | undefined;
  let [isHeard, renewed] = [true, 0];
  const heartbeats: string[] = [];
  const own = {
    set: (key: string) => {
      heartbeats.push(key);
      if (isHeard) listener?.touched([Buffer.from(key)]);
      return Promise.resolve("OK");
    },
    scan: (): Promise<[string, string[]]> => Promise.resolve(["0", [...fake.node.entries.keys()]]),
    exists: (key: Buffer) => Promise.resolve(Number(fake.node.entries.has(key.toString()))),
  };
  const redis: Redis & Required<Pick<Redis, "track">> = {
    ...fake.redis,
    ask: (command) =>
      fake.redis.ask((client) => command({ ...(client as object), ...own } as unknown as Client)),
    track: (_prefixes, listens) => {
      listener = listens;
      return { renew: () => void (renewed += 1), close: () => undefined };
    },
  };
  const parts = { redis, shards: createOneShard(PREFIX), epochs, past, log: pino({ level: "silent" }) };
  const mirror = createMirror(parts, 10_000);
  stops.push(mirror.follow());
  if (!listener) throw new Error("It doesn't listen.");
  listener.armed();
  await beat();
  expect(mirror.status().state).toBe("fresh");
  return {
    ...{ fake, own, epochs, mirror, listener, heartbeats },
    setHeard: (to: boolean) => void (isHeard = to),
    renewed: () => renewed,
  };
}

it("answers what is clean, and nothing else", async () => {
  const { fake, mirror, listener } = await start();
  expect(mirror.lookUp(["a"])).toEqual({ anyExists: false, epoch: epochOf(1000) });
  fake.node.entries.set("a", "");
  listener.touched([Buffer.from("a")]);
  expect(mirror.lookUp(["b", "a"])).toBeUndefined();
  expect(mirror.lookUp(["b"])).toBeDefined();
});

it.each<[string, (listener: TrackingListener) => void]>([
  [
    "everything was deleted",
    (listener) => {
      listener.flushed();
    },
  ],
  [
    "the epoch was written or deleted",
    (listener) => {
      listener.touched([Buffer.from(`${PREFIX}denylist:epoch`)]);
    },
  ],
  [
    "it may not have been told something",
    (listener) => {
      listener.armed();
    },
  ],
])("forgets all that it knows as soon as it is told that %s", async (_title, tell) => {
  const { mirror, listener } = await start();
  tell(listener);
  expect(mirror.status()).toEqual(NOTHING);
  expect(mirror.lookUp(["a"])).toBeUndefined();
});

it("answers nothing as soon as this process knows of another epoch", async () => {
  const { epochs, mirror } = await start();
  await epochs.current(PREFIX, epochOf(2000), undefined);
  expect(mirror.lookUp(["a"])).toBeUndefined();
});

it("answers nothing as soon as another Redis may answer, and then what that one has", async () => {
  const { fake, mirror } = await start();
  const other = createNode(epochOf(1000));
  other.entries.set("a", "");
  fake.renew(other);
  expect(mirror.lookUp(["b"])).toBeUndefined();
  await beat();
  await beat();
  expect(mirror.lookUp(["a"])).toBeUndefined();
  expect(mirror.lookUp(["b"])).toBeDefined();
});

it("answers nothing while it is still looking, whatever heartbeats it hears meanwhile", async () => {
  const { mirror, listener, heartbeats, own } = await start();
  let found: (step: [string, string[]]) => void = () => undefined;
  own.scan = () => new Promise((resolve) => (found = resolve));
  listener.armed();
  await beat();
  const before = heartbeats.length;
  mirror.wrote();
  await jest.advanceTimersByTimeAsync(0);
  expect(heartbeats).toHaveLength(before + 1);
  expect(mirror.status().state).toBe("scanning");
  expect(mirror.lookUp(["a"])).toBeUndefined();
  found(["0", ["a"]]);
  await jest.advanceTimersByTimeAsync(0);
  expect(mirror.status()).toMatchObject({ state: "fresh", entries: 1 });
});

it("answers nothing if it couldn't look at everything, and tries again", async () => {
  const { mirror, listener, own } = await start();
  const { scan } = own;
  own.scan = () => Promise.reject(new Error("LOADING"));
  listener.armed();
  for (let at = 0; at < 4; at += 1) {
    await beat();
    expect(mirror.lookUp(["a"])).toBeUndefined();
  }
  own.scan = scan;
  await beat();
  expect(mirror.lookUp(["a"])).toBeDefined();
});

it("asks again about what was touched if it got no answer", async () => {
  const { mirror, listener, own } = await start();
  const { exists } = own;
  own.exists = () => Promise.reject(new Error("LOADING"));
  listener.touched([Buffer.from("gone")]);
  await beat();
  expect(mirror.status().entries).toBe(1);
  own.exists = exists;
  await beat();
  await beat();
  expect(mirror.status()).toMatchObject({ state: "fresh", entries: 0 });
});

it("answers nothing once replicas have confirmed nothing for longer than is tolerated", async () => {
  const { fake, mirror } = await start(1000);
  fake.beforeCommand = (name) => {
    if (name === "probe") throw new Error("NOREPLICAS");
  };
  await jest.advanceTimersByTimeAsync(900);
  expect(mirror.lookUp(["a"])).toBeDefined();
  await jest.advanceTimersByTimeAsync(200);
  expect(mirror.lookUp(["a"])).toBeUndefined();
});

it("takes a heartbeat for nothing where Redis has another epoch, of which it didn't tell", async () => {
  const { fake, mirror } = await start();
  fake.node.epoch = epochOf(2000);
  await beat();
  expect(mirror.status()).toEqual(NOTHING);
});

it("sends another heartbeat after a revocation, also if one is under way", async () => {
  const { fake, mirror, heartbeats } = await start();
  const before = heartbeats.length;
  let answer: () => void = () => undefined;
  fake.beforeAnswer = () => new Promise((resolve) => (answer = resolve));
  mirror.wrote();
  await jest.advanceTimersByTimeAsync(0);
  expect(heartbeats).toHaveLength(before + 1);
  mirror.wrote();
  fake.beforeAnswer = () => undefined;
  answer();
  await jest.advanceTimersByTimeAsync(0);
  expect(heartbeats).toHaveLength(before + 2);
  expect(mirror.status().state).toBe("fresh");
});

it("connects anew when its heartbeats are acknowledged and not heard", async () => {
  const { mirror, setHeard, renewed } = await start();
  setHeard(false);
  await jest.advanceTimersByTimeAsync(1000);
  expect(renewed()).toBe(0);
  await jest.advanceTimersByTimeAsync(2 * BEAT_MS);
  expect(renewed()).toBeGreaterThan(0);
  expect(mirror.status().state).toBe("fresh");
  await jest.advanceTimersByTimeAsync(10_000);
  expect(mirror.status().state).toBe("stale");
});

it("begins anew once it holds more that is gone than it could ask about", async () => {
  const { mirror, listener } = await start();
  listener.touched(Array.from({ length: 100_001 }, (_, at) => Buffer.from(`gone ${at}`)));
  expect(mirror.status().entries).toBe(100_001);
  await jest.advanceTimersByTimeAsync(20);
  await beat();
  await beat();
  expect(mirror.status()).toMatchObject({ state: "fresh", entries: 0 });
});
