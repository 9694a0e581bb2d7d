import MemoryClient from "ioredis-mock";
import type { Link } from "./link";

/** For a try-out: everything is lost when the process ends. */
export function linkMemory(): Link {
  const client = new MemoryClient();
  return {
    client,
    whyNot: () => undefined,
    generation: () => "only",
    infos: () => [],
    clockLeadMs: () => undefined,
    blame: () => undefined,
    firstContact: Promise.resolve([]),
    close: () => {
      client.disconnect();
    },
  };
}
