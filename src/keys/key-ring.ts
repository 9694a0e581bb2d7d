import type { SigningKey } from "./keys";

/** How long others may cache our public keys. A new key must have been published for that long before it signs. */
export const PUBLISHED_KEYS_MAX_AGE_SECONDS = 300;

/** Every key that verifies, each once: first the one that signs, then those that will sign or have signed. */
export type KeyRing = {
  readonly signing: SigningKey;
  readonly all: readonly SigningKey[];
  /** `kid` is what a token claims, so it may be anything. */
  find(kid: unknown): SigningKey | undefined;
};

export function createKeyRing(signing: SigningKey, others: readonly SigningKey[] = []): KeyRing {
  const byKid = new Map<unknown, SigningKey>([signing, ...others].map((key) => [key.kid, key]));
  return { signing, all: [...byKid.values()], find: (kid) => byKid.get(kid) };
}

/** For who has no tokens of their own: none is signed, and none can be verified. */
export const NO_KEYS: KeyRing = {
  get signing(): never {
    throw new TypeError("Without accounts there is no key that signs.");
  },
  all: [],
  find: () => undefined,
};
