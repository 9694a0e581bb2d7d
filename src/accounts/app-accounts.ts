import { z } from "zod";
import { Roles, type Account, type Accounts } from "./accounts";
import { CurfewError } from "../errors";
import { isOurHash } from "./passwords";

const FUNCTIONS = ["create", "findByEmail", "findById", "replacePasswordHash"] as const;

const APP_ACCOUNT = z.object({
  id: z.string().min(1),
  email: z.string().min(1),
  roles: Roles,
  createdAt: z.string(),
  passwordHash: z.string().refine(isOurHash).nullable(),
  disabledAt: z.string().nullish(),
});

const WITH_ANY_HASH = APP_ACCOUNT.extend({ passwordHash: z.string().min(1).nullable() });

/** Throws a TypeError that names the missing functions. `isForeign` says which ids aren't for accounts. */
export function readAccounts(value: unknown, isForeign: (id: string) => boolean): Accounts {
  const missing = FUNCTIONS.filter(
    (name) => typeof (value as Partial<Record<string, unknown>> | null)?.[name] !== "function",
  );
  if (missing.length > 0) throw new TypeError(`it lacks the functions ${missing.join(", ")}`);
  const accounts = value as Accounts;
  if (!["undefined", "function"].includes(typeof accounts.verifyPassword))
    throw new TypeError("its verifyPassword is no function");
  return checkAccounts(accounts, isForeign);
}

/**
 * Wraps an app's user table and checks everything it returns, because only a valid account may get a token. Errors that
 * it throws become `internal`: an HTTP client's error has a `status` that would be taken for the request's own.
 */
function checkAccounts(accounts: Accounts, isForeign: (id: string) => boolean): Accounts {
  // An account whose owner chose an id such as "idp:user_1" would be taken for that issuer's user.
  const isOwn = ({ id }: Account) => !isForeign(id);
  const schema = (accounts.verifyPassword ? WITH_ANY_HASH : APP_ACCOUNT).refine(isOwn, { path: ["id"] });
  const accountIn = (name: string, value: unknown) => accountOf(schema, name, value);
  /** Many databases return null for a missing row. */
  const optional = (name: string, value: unknown) =>
    value === undefined || value === null ? undefined : accountIn(name, value);
  return {
    create: async (email, passwordHash) =>
      accountIn("create", await faultless(() => accounts.create(email, passwordHash))),
    findByEmail: async (email) => optional("findByEmail", await faultless(() => accounts.findByEmail(email))),
    findById: async (id) => optional("findById", await faultless(() => accounts.findById(id))),
    replacePasswordHash: async (id, seen, next) =>
      isTrue(await faultless(() => accounts.replacePasswordHash(id, seen, next))),
    ...(accounts.verifyPassword && {
      verifyPassword: async (account: Account, password: string) =>
        isTrue(await faultless(() => accounts.verifyPassword?.(account, password))),
    }),
  };
}

async function faultless<T>(ask: () => T | Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof CurfewError) throw error;
    throw new CurfewError("internal", { cause: error });
  }
}

const isTrue = (value: unknown) => value === true;

/** The message names the invalid members but not their values, because one of them is a password hash. */
function accountOf(schema: z.ZodType<Account>, name: string, value: unknown): Account {
  const { data, error } = schema.safeParse(value);
  if (data) return data;
  const wrong = [...new Set(error.issues.map(({ path }) => String(path[0] ?? "it")))].join(", ");
  throw new TypeError(
    `accounts.${name}() didn't return an account: ${wrong} is invalid. Return { id, email, roles: [], createdAt, passwordHash }; passwordHash is what create() was given (argon2id), or null for who has no password. For other hashes, write accounts.verifyPassword(account, password) too. No id begins with a trusted issuer's name and a colon.`,
  );
}
