import type { ChainableCommander } from "ioredis";
import type { Link } from "../../src/redis/links/link";
import type { Client } from "../../src/redis/commands";

export type FakeLink = Link & {
  /** What was sent, word by word, and what failed on it. */
  readonly sent: unknown[][];
  readonly blamed: unknown[];
  /** What comes back for each command; an error fails it. */
  readonly replies: Record<string, unknown>;
};

/** A connection to a node with this run id, on which so many replicas confirm. */
export function linkTo(runId: string | undefined, replicas = 1): FakeLink {
  const [sent, blamed]: [unknown[][], unknown[]] = [[], []];
  const replies: Record<string, unknown> = { evalsha: "done", eval: "done", set: "OK", wait: replicas };

  function send(name: string, rest: unknown[]): [Error | null, unknown] {
    sent.push([name, ...rest]);
    const reply = replies[name];
    return reply instanceof Error ? [reply, undefined] : [null, reply];
  }
  const alone =
    (name: string) =>
    async (...rest: unknown[]) => {
      const [error, reply] = send(name, rest);
      if (error) throw error;
      return Promise.resolve(reply);
    };
  function pipeline() {
    const results: [Error | null, unknown][] = [];
    const piped =
      (name: string) =>
      (...rest: unknown[]) => {
        results.push(send(name, rest));
        return commands;
      };
    const commands = {
      ...{ evalsha: piped("evalsha"), eval: piped("eval"), set: piped("set"), wait: piped("wait") },
      exec: () => Promise.resolve(results),
    };
    return commands as unknown as ChainableCommander;
  }
  const client = { pipeline, evalsha: alone("evalsha"), eval: alone("eval"), set: alone("set") };
  return {
    ...{ sent, blamed, replies },
    client: client as unknown as Client,
    mayForget: true,
    failure: () => undefined,
    answerer: () => ({ generation: `of ${String(runId)}`, runId, steadyLead: undefined }),
    meet: () => Promise.resolve(),
    infos: () => [],
    wallLeads: () => [],
    learnFrom: (error) => {
      blamed.push(error);
    },
    firstContact: Promise.resolve([]),
    close: () => undefined,
  };
}
