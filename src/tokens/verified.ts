import { LRUCache } from "lru-cache";

const TOKENS_MAX = 10_000;
/**
 * Also of the longest tokens, so that they and their claims fill no more than some 32 MB; six times that if a trusted
 * issuer's claims are lists of thousands of empty lists.
 */
const CHARACTERS_MAX = 16_000_000;

/**
 * Remembers what was learnt from verifying a token, by the whole token. Only what was verified may be put in, so that a
 * flood of forged tokens pushes nothing out. What depends on the time has to be checked each time.
 */
export function rememberVerified<T extends object>() {
  const known = new LRUCache<string, T>({
    max: TOKENS_MAX,
    maxSize: CHARACTERS_MAX,
    sizeCalculation: (_what, token) => token.length,
  });
  return {
    get: (token: string) => known.get(token),
    has: (token: string) => known.has(token),
    // A copy: a part of a string keeps the whole string, such as all cookies of the request, in memory.
    set: (token: string, what: T) => void known.set(Buffer.from(token).toString(), what),
  };
}
