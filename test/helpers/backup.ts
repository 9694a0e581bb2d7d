import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestRedis } from "./redis";

export type Backup = {
  /** Puts it in the place of what is on the disk of a Redis that doesn't run. */
  restore(): void;
};

/** Of everything that is in a Redis now. */
export async function backUp({ admin, dir }: TestRedis): Promise<Backup> {
  const kept = join(dir, "backup.rdb");
  await admin.save();
  copyFileSync(join(dir, "dump.rdb"), kept);
  return {
    restore() {
      empty({ dir });
      // A snapshot is what an append-only file begins with.
      const base = "appendonly.aof.1.base.rdb";
      mkdirSync(join(dir, APPEND_ONLY));
      copyFileSync(kept, join(dir, APPEND_ONLY, base));
      writeFileSync(join(dir, APPEND_ONLY, "appendonly.aof.manifest"), `file ${base} seq 1 type b\n`);
    },
  };
}

/** Leaves nothing on the disk of a Redis that doesn't run. */
export function empty({ dir }: Pick<TestRedis, "dir">): void {
  rmSync(join(dir, "dump.rdb"), { force: true });
  rmSync(join(dir, APPEND_ONLY), { recursive: true, force: true });
}

const APPEND_ONLY = "appendonlydir";
