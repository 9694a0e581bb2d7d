import { hash as argon2Hash, verify as argon2Verify } from "@node-rs/argon2";
import { dictionary } from "@zxcvbn-ts/language-common";
import { createQueue, type QueueState } from "./queue";

export type Passwords = {
  /** Returns why this password can't be chosen, in words for the person who chose it; undefined if it can. */
  objection(password: string, email: string): string | undefined;
  /** True if the password is longer than any that could have been chosen. */
  isTooLong(password: string): boolean;
  hash(password: string): Promise<string>;
  /**
   * Without a hash it takes as long as with one and returns false, so that timing doesn't reveal which accounts exist.
   */
  verify(hash: string | null | undefined, password: string): Promise<boolean>;
  /**
   * Verifies a password against a hash that isn't Curfew's: in its turn, only if it isn't too long, and in no less time
   * than `verify` takes.
   */
  verifyBy(check: () => boolean | Promise<boolean>, password: string): Promise<boolean>;
  /** True for a hash that was made with other parameters than the current ones. */
  isOutdated(hash: string): boolean;
  /** How many passwords are being hashed, and how many wait for it. */
  queue(): QueueState;
};

const PASSWORD_MAX_LENGTH = 1024;

/** argon2id, with the parameters that OWASP's password storage cheat sheet names first for one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const ENCODED_PARAMETERS = "$argon2id$v=19$m=19456,t=2,p=1$";
const NOBODYS_HASH = `${ENCODED_PARAMETERS}${"A".repeat(22)}$${"A".repeat(43)}`;

/**
 * Hashing runs on libuv's four threads, which also look up Redis's host name. Two at a time leave room for that.
 * Whoever would have to wait for more than about a second is refused.
 */
const MAX_RUNNING = 2;
const MAX_WAITING = 100;

export function createPasswords(minLength: number): Passwords {
  const common = new Set(dictionary["passwords-common"]);
  const { inTurn, state } = createQueue(MAX_RUNNING, MAX_WAITING);

  return {
    objection(password, email) {
      if (lengthOf(password) < minLength) return `must have at least ${minLength} characters`;
      if (isTooLong(password)) return `must have at most ${PASSWORD_MAX_LENGTH} characters`;
      const lower = prepare(password).toLowerCase();
      if (common.has(lower)) return "is one of the most common passwords";
      if (lower === email) return "must not be the e-mail address";
      return undefined;
    },
    isTooLong,
    hash: (password) => inTurn(() => argon2Hash(prepare(password), PARAMETERS)),
    verify: (hash, password) =>
      inTurn(async () => {
        // A password that is too long waits and takes as long as one that is wrong. An immediate answer would make the
        // time of the lookup before it visible, and so whether the account exists.
        const isBounded = !isTooLong(password);
        const matches = await argon2Verify(hash ?? NOBODYS_HASH, isBounded ? prepare(password) : "");
        return matches && isBounded && typeof hash === "string";
      }),
    verifyBy: (check, password) =>
      inTurn(async () => {
        const checking = (async () => !isTooLong(password) && check())();
        const [matches] = await Promise.all([checking, argon2Verify(NOBODYS_HASH, "")]);
        return matches;
      }),
    isOutdated: (hash) => !hash.startsWith(ENCODED_PARAMETERS),
    queue: state,
  };
}

/** Whether Curfew can verify it, with whatever parameters it was made. */
export const isOurHash = (hash: string) => hash.startsWith("$argon2id$");

/** In code points, as people count. */
const lengthOf = (password: string) => Array.from(password).length;
const isTooLong = (password: string) => lengthOf(password) > PASSWORD_MAX_LENGTH;

/** The same password typed on two keyboards may be two sequences of code points (NIST SP 800-63B). */
const prepare = (password: string) => password.normalize("NFKC");
