import { decodePart } from "./jws";
import { curfew } from "./command";
import { startProvider, writeIssuers, type TestProvider } from "./provider";
import { useRedis } from "./redis";
import { SECRET, useService } from "./service";
import { use } from "./use";

/** A service with an issuer, and the command that looks into its Redis. */
export function useDenylistCommands() {
  const clerk = use<TestProvider>(() => startProvider("clerk", { max_lifetime: "1h" }));
  let issuers: string;
  beforeAll(() => {
    issuers = writeIssuers(clerk);
  });
  const redis = useRedis();
  /** What most commands need: no key is among it. */
  const env = () => ({ REDIS_URL: redis.url, TRUSTED_ISSUERS_FILE: issuers });
  const service = useService(env);
  return {
    ...{ clerk, redis, service, env },
    keyed: () => ({ ...env(), JWT_SECRET: SECRET }),
    run: (...words: string[]) => curfew(words, env()),
  };
}

export const claimsOf = (token: string) => decodePart(token, 1) as { jti: string; sid: string; exp: number };
