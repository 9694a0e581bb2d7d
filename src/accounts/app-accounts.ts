import { z } from "zod";
import type { Account, Accounts } from "./accounts";
import { CurfewError } from "../errors";

const FUNCTIONS = ["create", "findByEmail", "findById", "replacePasswordHash"] as const;

const APP_ACCOUNT = z.object({
  id: z.string().min(1),
  email: z.string().min(1),
  roles: z.array(z.string().regex(/^[^,]+$/)),
  createdAt: z.string(),
  passwordHash: z.string().startsWith("$argon2id$"),
});

/** Throws a TypeError that says what is missing. */
export function readAccounts(value: unknown): Accounts {
  const missing = FUNCTIONS.filter(
    (name) => typeof (value as Partial<Record<string, unknown>> | null)?.[name] !== "function",
  );
  if (missing.length === 0) return checkAccounts(value as Accounts);
  throw new TypeError(`it lacks the functions ${missing.join(", ")}`);
}

/**
 * An app's own table of users, whose every answer is looked at: what isn't an account must not become a token. Nor does
 * what it throws become an answer: an HTTP client's error has a status, which would be taken for the request's.
 */
function checkAccounts(accounts: Accounts): Accounts {
  return {
    create: async (email, passwordHash) =>
      accountOf("create", await faultless(() => accounts.create(email, passwordHash))),
    findByEmail: async (email) => optional("findByEmail", await faultless(() => accounts.findByEmail(email))),
    findById: async (id) => optional("findById", await faultless(() => accounts.findById(id))),
    replacePasswordHash: async (id, seen, next) =>
      isTrue(await faultless(() => accounts.replacePasswordHash(id, seen, next))),
  };
}

async function faultless<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof CurfewError) throw error;
    throw new CurfewError("internal", { cause: error });
  }
}

const isTrue = (value: unknown) => value === true;

/** Many databases say null for what isn't there. */
const optional = (name: string, value: unknown) =>
  value === undefined || value === null ? undefined : accountOf(name, value);

/** The message names what is wrong and never what it is: there is a password's hash in it. */
function accountOf(name: string, value: unknown): Account {
  const { data, error } = APP_ACCOUNT.safeParse(value);
  if (data) return data;
  const wrong = [...new Set(error.issues.map(({ path }) => String(path[0] ?? "it")))].join(", ");
  throw new TypeError(
    `accounts.${name}() gave no account: ${wrong} is not as it should be. Give { id, email, roles: [], createdAt, passwordHash }, the hash being what create() was given: argon2id.`,
  );
}
