import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { writeOnce } from "./write-once";
import { readSecret, type SigningKey } from "./keys";

/** Reads the secret from a file that only its owner can read, and makes it the first time. For development only. */
export function readKeptSecret(file: string): SigningKey {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  if (!existsSync(file)) writeOnce(file, randomBytes(48).toString("base64url"));
  return readFrom(file);
}

/** Returns the secret if it was made before. */
export const findKeptSecret = (file: string) => (existsSync(file) ? readFrom(file) : undefined);

function readFrom(file: string): SigningKey {
  try {
    return readSecret(readFileSync(file, "utf8").trim());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TypeError(
      `the secret kept in ${file} can't be used (${reason}); remove the file to have a new one made`,
      { cause: error },
    );
  }
}
