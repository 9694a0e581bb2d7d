import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A Lua script: nothing comes between what it checks and what it changes. */
export type Script = { readonly lua: string; readonly sha1: string };

/** Reads a script from its file, or from several that are put one after the other. */
export function readScript(...files: string[]): Script {
  const lua = files.map((file) => readFileSync(file, "utf8")).join("\n");
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}
