import { linkSync, unlinkSync, writeFileSync } from "node:fs";

/**
 * Writes a file that only its owner can read, unless it is there already: then it stays as it is, and the answer is
 * false. Whoever reads it finds it whole: it is written under another name and linked.
 */
export function writeOnce(file: string, text: string): boolean {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    unlinkSync(draft);
  }
}
