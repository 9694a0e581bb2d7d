import { readJwk, type IssuerAlgorithm, type IssuerKey } from "./issuer-keys";
import { isObject } from "../tokens/json";

/** The keys that an issuer published at one time. */
export type KeySet = {
  /** Without a kid it finds the only key, if there is exactly one. */
  find(kid: string | undefined): IssuerKey | undefined;
};

/** A key that can't be used, and why. */
export type SkippedKey = { kid: string | null; reason: string };

const MAX_KEYS = 100;
const MAX_KID_LENGTH = 256;
const SHOWN = 64;

/**
 * Reads a JWK set (RFC 7517 §5) and skips the keys that can't be used. An empty set is valid: no key is good any more.
 */
export function readKeySet(text: string, allowed: readonly IssuerAlgorithm[]) {
  const jwks = readJwks(text);
  const skipped: SkippedKey[] = [];
  const usable = jwks.flatMap((jwk): [kid: string | undefined, key: IssuerKey][] => {
    try {
      return [[readKid(jwk), readJwk(jwk, allowed)]];
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const { kid } = jwk;
      skipped.push({ kid: typeof kid === "string" ? kid.slice(0, SHOWN) : null, reason: error.message });
      return [];
    }
  });
  const byKid = new Map(usable);
  // With two keys under one kid, nobody can tell which one a token means.
  if (byKid.size < usable.length) throw new Error("its set has several keys under one kid");
  const [only] = usable.length === 1 ? byKid.values() : [];
  const keys: KeySet = { find: (kid) => (kid === undefined ? only : byKid.get(kid)) };
  return { keys, skipped };
}

function readJwks(text: string): Record<string, unknown>[] {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new Error("its answer is not JSON");
  }
  const jwks = isObject(set) ? set["keys"] : undefined;
  if (!Array.isArray(jwks) || !jwks.every(isObject)) throw new Error("its answer is not a JWK set");
  if (jwks.length > MAX_KEYS) throw new Error(`its set has more than ${MAX_KEYS} keys`);
  return jwks;
}

function readKid({ kid }: Record<string, unknown>): string | undefined {
  if (kid === undefined || (typeof kid === "string" && kid.length <= MAX_KID_LENGTH)) return kid;
  throw new TypeError(`its kid is not a string of ${MAX_KID_LENGTH} characters at most`);
}
