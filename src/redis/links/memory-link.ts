import MemoryClient from "ioredis-mock";
import type { Link } from "./link";
import { createRedis, type Redis } from "../redis";

/** For trying out only: everything is lost when the process ends. */
export const connectMemory = (timeoutMs: number): Redis =>
  createRedis(linkMemory(), undefined, { timeoutMs, minReplicas: 0 });

function linkMemory(): Link {
  const client = new MemoryClient();
  return {
    client,
    // It couldn't be checked either: ioredis-mock's XRANGE finds no event by its id.
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
