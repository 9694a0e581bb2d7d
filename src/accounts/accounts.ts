import { randomUUID } from "node:crypto";
import { isIP } from "node:net";
import { join } from "node:path";
import { domainToASCII } from "node:url";
import { z } from "zod";
import { CurfewError } from "../errors";
import type { Redis } from "../redis/redis";
import { readScript } from "../redis/script";
import type { Shards } from "../redis/shards";

/** Gateways are told them in one header, with commas between. */
export const Roles = z.array(z.string().regex(/^[^,]+$/));

export type Account = {
  id: string;
  email: string;
  roles: string[];
  createdAt: string;
  /** Null for somebody who has no password, and so can't log in with one. */
  passwordHash: string | null;
  /** Since when this account may neither log in nor refresh. */
  disabledAt?: string | null | undefined;
};

export const isDisabled = ({ disabledAt }: Account) => typeof disabledAt === "string";

/** Who may log in. Curfew keeps accounts in Redis; an app with a user table of its own provides these functions. */
export type Accounts = {
  /** Throws `email_taken`. If two calls race for one address, one of them wins. */
  create(email: string, passwordHash: string): Promise<Account>;
  findByEmail(email: string): Promise<Account | undefined>;
  findById(id: string): Promise<Account | undefined>;
  /** Returns false, and changes nothing, unless the stored hash is still `seen` and the account isn't disabled. */
  replacePasswordHash(id: string, seen: string, next: string): Promise<boolean>;
  /**
   * Whether this is the account's password, where `passwordHash` isn't one of Curfew's hashes (argon2id). After a login,
   * `replacePasswordHash` gets one of Curfew's, and this function isn't asked for the account again.
   */
  verifyPassword?(account: Account, password: string): boolean | Promise<boolean>;
};

const EMAIL_MAX = 254;

export const userKey = (shards: Shards, id: string) => `${shards.prefixOf(id)}user:${id}`;
export const userEmailKey = (shards: Shards, email: string) => `${shards.prefixOf(email)}user-email:${email}`;

/**
 * Normalises an address to one spelling (NFKC, lower case, an ASCII domain), so that nobody can register a look-alike
 * of an existing account. Returns undefined unless a browser's e-mail field would accept the result.
 *
 * The length is checked before NFKC and again after it, because NFKC can turn one letter into eighteen, and the time
 * that NFKC and domainToASCII take grows with the square of the length. This excludes only spellings that nobody types,
 * such as 200 bold letters.
 */
export function normaliseEmail(text: string): string | undefined {
  const typed = text.trim();
  if (typed.length > EMAIL_MAX) return undefined;
  const spelled = typed.normalize("NFKC").trim().toLowerCase();
  if (spelled.length > EMAIL_MAX) return undefined;
  const [, local, domain] = /^([^@]+)@([^@]+)$/.exec(spelled) ?? [];
  // domainToASCII reads a domain as a URL parser would: it drops a path, decodes % and turns a number into an IPv4
  // address.
  if (!local || !domain || !/^[\p{L}\p{M}\p{N}.-]+$/u.test(domain) || isIP(domainToASCII(domain)))
    return undefined;
  const email = `${local}@${domainToASCII(domain)}`;
  return email.length <= EMAIL_MAX && z.regexes.html5Email.test(email) ? email : undefined;
}

const REPLACE_PASSWORD_HASH = readScript(join(__dirname, "replace-password-hash.lua"));

export function createAccounts(redis: Redis, shards: Shards): Accounts {
  const findById: Accounts["findById"] = async (id) =>
    readAccount(id, await redis.ask((client) => client.hgetall(userKey(shards, id))));

  return {
    findById,

    // First the account, then the claim on its address, which is the step that decides. In the other order, a crash in
    // between would leave an address that is taken but belongs to nobody.
    async create(email, passwordHash) {
      const account = {
        id: randomUUID(),
        email,
        roles: [],
        createdAt: new Date().toISOString(),
        passwordHash,
      };
      const key = userKey(shards, account.id);
      await redis.ask((client) =>
        client.hset(key, {
          email,
          roles: "",
          created_at: account.createdAt,
          password_hash: passwordHash,
        }),
      );
      const claimed = await redis.ask((client) => client.set(userEmailKey(shards, email), account.id, "NX"));
      if (claimed) return account;
      await redis.ask((client) => client.del(key));
      throw new CurfewError("email_taken");
    },

    async findByEmail(email) {
      const id = await redis.ask((client) => client.get(userEmailKey(shards, email)));
      return id === null ? undefined : findById(id);
    },

    async replacePasswordHash(id, seen, next) {
      return (await redis.run(REPLACE_PASSWORD_HASH, [userKey(shards, id)], { seen, next })) === 1;
    },
  };
}

export function readAccount(id: string, hash: Record<string, string>): Account | undefined {
  const { email, roles, created_at, password_hash, disabled_at } = hash;
  if (!email || !created_at || !password_hash) return undefined;
  return {
    id,
    email,
    roles: roles ? roles.split(",") : [],
    createdAt: created_at,
    passwordHash: password_hash,
    ...(disabled_at && { disabledAt: disabled_at }),
  };
}
