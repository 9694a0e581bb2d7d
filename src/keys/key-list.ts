import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { replaceFile } from "./replace-file";
import { pemOf, readPrivateKey, readPrivateKeyFile, readSecret, type SigningKey } from "./keys";

/** A key as it is listed in the file that JWT_VERIFY_KEYS_FILE names. Only `curfew keys` uses the times. */
export type KeyEntry = {
  secret?: string | undefined;
  private_key?: string | undefined;
  private_key_file?: string | undefined;
  /** When it was added to the list. */
  added_at?: string | undefined;
  /** How long a token that it signed may live. Only a key that has signed has this. */
  needed_until?: string | undefined;
};

export type ListedKey = { key: SigningKey; entry: KeyEntry };

export const MAX_LISTED_KEYS = 16;

const SOURCES = ["secret", "private_key", "private_key_file"] as const;
const NOT_ONE_SOURCE = `it needs one of ${SOURCES.join(", ")}`;

/** Reads every key of the list, or returns what is wrong and where. No problem quotes the file. */
export function readKeyList(file: string): { listed: ListedKey[]; problems: string[] } {
  const refused = (problem: string) => ({ listed: [], problems: [problem] });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return refused(`it can't be read (${String((error as NodeJS.ErrnoException).code)})`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return refused("it is not JSON");
  }
  const { data, error } = listIn(dirname(file)).safeParse(json);
  if (data) return { listed: data, problems: [] };
  return {
    listed: [],
    problems: error.issues.map(({ path, message }) =>
      path.length === 0 ? message : `${z.core.toDotPath(path)}: ${message}`,
    ),
  };
}

export function writeKeyList(file: string, listed: ListedKey[]): void {
  const entries = listed.map(({ entry }) => entry);
  replaceFile(file, `${JSON.stringify(entries, null, 2)}\n`);
}

/** An entry that contains the key itself, because the file that it came from may be overwritten. */
export const sourceOf = ({ algorithm, signWith }: SigningKey): KeyEntry =>
  algorithm === "HS256" ? { secret: signWith.export().toString() } : { private_key: pemOf(signWith) };

const listIn = (folder: string) =>
  z
    .array(entryIn(folder), { error: "it is not a JSON array" })
    .max(MAX_LISTED_KEYS, { error: `it holds more than ${MAX_LISTED_KEYS} keys` })
    .transform((listed, context) => {
      for (const [at, { key }] of listed.entries()) {
        const first = listed.findIndex((other) => other.key.kid === key.kid);
        if (first < at)
          context.addIssue({ code: "custom", path: [at], message: `it is the key of [${first}] again` });
      }
      return listed;
    });

const source = z.string({ error: "it is not a string" });
const time = z.iso.datetime({ error: "it is not a time such as 2030-01-31T12:00:00Z" });

const entryIn = (folder: string) =>
  z
    .strictObject(
      {
        secret: source.optional(),
        private_key: source.optional(),
        private_key_file: source.optional(),
        added_at: time.optional(),
        needed_until: time.optional(),
      },
      {
        // Not quoted, because an unknown name may be the secret itself.
        error: ({ code }) =>
          code === "unrecognized_keys" ? "it has an unknown name" : "it is not a JSON object",
      },
    )
    .transform((entry, context): ListedKey => {
      const [name, ...others] = SOURCES.filter((each) => entry[each] !== undefined);
      if (name === undefined || others.length > 0) {
        context.addIssue({ code: "custom", message: NOT_ONE_SOURCE });
        return z.NEVER;
      }
      try {
        return { key: READ[name](entry[name] ?? "", folder), entry };
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        context.addIssue({ code: "custom", path: [name], message: error.message });
        return z.NEVER;
      }
    });

const READ: Record<(typeof SOURCES)[number], (text: string, folder: string) => SigningKey> = {
  secret: readSecret,
  private_key: readPrivateKey,
  private_key_file: (name, folder) => readPrivateKeyFile(resolve(folder, name)),
};
