import type { Logger } from "pino";
import { createConfirmations } from "../../src/denylist/past/confirmations";
import { createDenylist } from "../../src/denylist/denylist";
import { createEpochs } from "../../src/denylist/past/epochs";
import { createPast } from "../../src/denylist/past/past";
import { createWriter } from "../../src/denylist/writer";
import { createOneShard } from "../../src/redis/shards";
import { PREFIX, type FakeRedis } from "./fake-redis";

const SILENT = { error: () => undefined } as unknown as Logger;

/** One that has just started: what it knows of this Redis, and what it does with that. */
export function createInstance(
  { redis }: FakeRedis,
  toleranceMs = 0,
  mirror?: Parameters<typeof createDenylist>[4],
) {
  const epochs = createEpochs(redis, SILENT);
  const past = createPast(redis, epochs, createConfirmations(redis, toleranceMs));
  const shards = createOneShard(PREFIX);
  return {
    ...{ epochs, past },
    writer: createWriter(redis, shards, past),
    denylist: createDenylist(redis, shards, epochs, past, mirror),
    /** In which epoch it is told to be: a question as good as any. */
    ask: () => past.ask(PREFIX, () => redis.ask((client) => client.get(`${PREFIX}denylist:epoch`))),
  };
}
