import { CurfewError } from "../../src/errors";
import type { DatedLead } from "../../src/redis/clock";
import type { Client } from "../../src/redis/commands";
import type { Redis, Way } from "../../src/redis/redis";

/** What one Redis has; all of it belongs to one prefix. */
export type FakeNode = { epoch: string | null; events: string[]; entries: Map<string, string> };

export const PREFIX = "curfew:";

/** As old as it is told, so that which of two epochs began first is plain. */
export const epochOf = (beganAt: number, random = "r") => `${beganAt}-${random}`;

export const createNode = (epoch: string | null, ...events: string[]): FakeNode => ({
  ...{ epoch, events },
  entries: new Map(),
});

type Args = Record<string, string | number>;

const scriptError = (word: string) =>
  new CurfewError("denylist_unavailable", {
    cause: new Error(`ERR user_script:12: ${word} script: 8f, on @user_script:12.`),
  });

export type FakeRedis = {
  readonly redis: Redis;
  node: FakeNode;
  steadyLead: DatedLead | undefined;
  /** The commands so far, the epochs that were begun, and what was told of each. */
  readonly asked: string[];
  readonly began: string[];
  readonly told: string[];
  /** Comes before each command: something may happen to the node just then. */
  beforeCommand: (name: string, key: string) => void;
  /** Comes before each answer: something may happen, or take its time, while the command is under way. */
  beforeAnswer: (name: string) => Promise<void> | undefined;
  /** What a script that writes does; it returns as it returns. */
  write: (args: Args) => unknown;
  /** From now on it may be another Redis that answers, which is found out at once. */
  renew(node?: FakeNode, ways?: readonly Way[]): void;
  setGeneration(way: Way, generation: string | undefined): void;
  /** Somebody else writes an event. Returns its id. */
  append(): string;
};

/** A Redis in memory, for what depends on who answers and when. Commands run in the order in which they are called. */
export function createFakeRedis(first: FakeNode, ways: Way[] = ["checking"]): FakeRedis {
  let [made, last] = [0, 0];
  const generations = new Map<Way, string | undefined>();

  function append(): string {
    last = 1 + Math.max(last, ...fake.node.events.map((id) => Number.parseInt(id, 10)));
    fake.node.events.push(`${last}-0`);
    return `${last}-0`;
  }

  async function command<T>(name: string, key: string, run: (node: FakeNode) => T): Promise<T> {
    fake.beforeCommand(name, key);
    if (fake.asked.push(name) > 1000) throw new Error("it asks without end");
    const reply = run(fake.node);
    // What is asked together is asked of one node.
    await Promise.resolve();
    await fake.beforeAnswer(name);
    return reply;
  }
  const toEvents = (ids: string[]) => ids.slice(0, 1).map((id): [string, string[]] => [id, []]);
  const client = {
    get: (key: string) =>
      command("get", key, ({ epoch, entries }) =>
        key.endsWith("denylist:epoch") ? epoch : (entries.get(key) ?? null),
      ),
    exists: (...keys: string[]) =>
      command("exists", keys.join(" "), ({ entries }) => keys.filter((key) => entries.has(key)).length),
    xrange: (key: string, from: string) =>
      command("xrange", key, ({ events }) => toEvents(events.filter((id) => from === "-" || from === id))),
    xrevrange: (key: string) => command("xrevrange", key, ({ events }) => toEvents(events.toReversed())),
  } as unknown as Client;

  /** As begin-epoch.lua does. */
  const beginEpoch = ({ over, next, event }: Args) =>
    command("begin", PREFIX, (node) => {
      if (node.epoch !== null && node.epoch !== over) return node.epoch;
      node.epoch = String(next);
      fake.began.push(node.epoch);
      fake.told.push(String(event));
      append();
      return node.epoch;
    });
  /** As entries.lua does, before anything is written. */
  const runScript = (args: Args) =>
    command("write", PREFIX, ({ epoch, events }) => {
      const { witnessed = "" } = args;
      if (witnessed !== "" && !events.includes(String(witnessed))) throw scriptError("FORGOTTEN");
      if (epoch === null) throw scriptError("NOEPOCH");
      return fake.write(args);
    });

  const redis: Redis = {
    ask: (ask) => ask(client),
    run: (_script, _keys, args) => ("next" in args ? beginEpoch(args) : runScript(args)),
    runConfirmed: (_script, _keys, args) => runScript(args),
    probe: (key) => command("probe", key, () => undefined),
    ways,
    generation: (way) => generations.get(way),
    askBy: (_way, _prefix, ask) => ask(client),
    mayForget: true,
    steadyLead: () => fake.steadyLead,
    deadlineMs: () => undefined,
    timeoutMs: 250,
    infos: () => [],
    warnings: () => [],
    firstContact: Promise.resolve([]),
    close: () => undefined,
  };
  const fake: FakeRedis = {
    redis,
    node: first,
    steadyLead: undefined,
    ...{ asked: [], began: [], told: [] },
    beforeCommand: () => undefined,
    beforeAnswer: () => undefined,
    write: () => ["done", append()],
    renew(node = fake.node, renewed = ways) {
      fake.node = node;
      for (const way of renewed) generations.set(way, String((made += 1)));
    },
    setGeneration: (way, generation) => generations.set(way, generation),
    append,
  };
  fake.renew();
  return fake;
}
