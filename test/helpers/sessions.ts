import pino from "pino";
import { createConfirmations } from "../../src/denylist/past/confirmations";
import { createEpochs } from "../../src/denylist/past/epochs";
import { createPast } from "../../src/denylist/past/past";
import { createWriter } from "../../src/denylist/writer";
import { connectRedis, type Redis } from "../../src/redis/redis";
import { createSessions, type SessionOptions } from "../../src/sessions/sessions";
import { createOneShard } from "../../src/redis/shards";
import type { TestRedis } from "./redis";

const DEFAULTS: SessionOptions = {
  issuer: "curfew",
  accessTtlSeconds: 900,
  refreshTtlSeconds: 30 * 86_400,
  sessionMaxTtlSeconds: 90 * 86_400,
  refreshGraceSeconds: 10,
  clockToleranceSeconds: 0,
};

const PREFIX = "curfew:";

/** The sessions of one instance, without a service around them. */
export async function openSessions({ url }: TestRedis, options: Partial<SessionOptions> = {}) {
  const log = pino({ level: "silent" });
  const redis = connectRedis({ mode: "single", url }, { timeoutMs: 1000, minReplicas: 0 }, log);
  await redis.firstContact;
  const shards = createOneShard(PREFIX);
  const sessionsOn = (asked: Redis) => {
    const past = createPast(asked, createEpochs(asked, log), createConfirmations(asked, 0));
    const writer = createWriter(asked, shards, past);
    return createSessions(asked, shards, writer, { ...DEFAULTS, ...options });
  };
  return {
    ...sessionsOn(redis),
    /** The same, of calls that Redis meets so much later than anybody waits for them. */
    late: (ms: number) => sessionsOn({ ...redis, deadlineMs: () => Date.now() - ms }),
    stop: () => {
      redis.close();
    },
  };
}
