import { linkSync, unlinkSync, writeFileSync } from "node:fs";

/**
 * Writes a file that only its owner can read. If the file exists, it leaves it as it is and returns false. Readers
 * never see half a file, because it is written under another name and then linked.
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
