import { chmodSync, chownSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";

/**
 * Writes or replaces a file. Readers find the old or the new content, never half of it, even after a power cut. A new
 * file can be read only by its owner. On an existing one, owner and group keep their rights, and all others lose them.
 */
export function replaceFile(name: string, text: string): void {
  const before = statSync(name, { throwIfNoEntry: false });
  // A symbolic link stays a link.
  const file = before ? realpathSync(name) : name;
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flush: true });
    if (before) {
      chownSync(draft, before.uid, before.gid);
      chmodSync(draft, before.mode & 0o660);
    }
    renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}
