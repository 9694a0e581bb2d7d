import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { readSecret, type SigningKey } from "./keys";

/** The secret kept in a file only its owner can read; made the first time. For development: production brings its own. */
export function readKeptSecret(file: string): SigningKey {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    // "wx": of two processes that start at once, one makes it and the other reads it.
    writeFileSync(file, randomBytes(48).toString("base64url"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readSecret(readFileSync(file, "utf8").trim());
}
