import MemoryClient from "ioredis-mock";
import type { Link } from "./link";
import { createRedis, type Redis } from "../redis";

/** For trying out only: everything is lost when the process ends. */
export const connectMemory = (timeoutMs: number): Redis =>
  createRedis(linkMemory(), undefined, { timeoutMs, minReplicas: 0 });

/** ioredis-mock gives events the ids 1-0, 2-0 and so on, but finds them only by 1 and 2. */
const plainId = (id: string) => id.replace(/-\d+$/, "");

function linkMemory(): Link {
  const client = new MemoryClient();
  const xrange = client.xrange.bind(client) as (...args: unknown[]) => Promise<[string, string[]][]>;
  client.xrange = (key: string, start: string, ...rest: unknown[]) => xrange(key, plainId(start), ...rest);
  return {
    client,
    mayForget: false,
    failure: () => undefined,
    answerer: () => ({ generation: "only", runId: undefined, steadyLead: undefined }),
    meet: () => Promise.resolve(),
    infos: () => [],
    wallLeads: () => [],
    learnFrom: () => undefined,
    firstContact: Promise.resolve([]),
    close: () => {
      client.disconnect();
    },
  };
}
