import { chmodSync, chownSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";

/**
 * Writes a file, over an earlier one if there is one: whoever reads it, also after a power cut, finds the one or the
 * other, whole. A new file is its owner's alone. An earlier one's owner and group keep their rights; all others lose them.
 */
export function replaceFile(name: string, text: string): void {
  const before = statSync(name, { throwIfNoEntry: false });
  // What is a link stays one.
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
