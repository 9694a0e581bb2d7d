import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { readSecret, type SigningKey } from "./keys";

/** The secret kept in a file only its owner can read; made the first time. For development: production brings its own. */
export function readKeptSecret(file: string): SigningKey {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  if (!existsSync(file)) {
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, randomBytes(48).toString("base64url"), { mode: 0o600 });
    try {
      // A link is there whole or not at all. Of two processes that start at once, one makes it and both read it.
      linkSync(draft, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      unlinkSync(draft);
    }
  }
  return readSecret(readFileSync(file, "utf8").trim());
}
