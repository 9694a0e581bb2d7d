import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A Lua script. It is atomic: nothing happens between what it checks and what it changes. */
export type Script = { readonly lua: string; readonly sha1: string };

const ARGS = join(__dirname, "args.lua");

/** Reads a script from one file, or from several in order. The script finds its arguments in `args`. */
export function readScript(...files: string[]): Script {
  const lua = [ARGS, ...files].map((file) => readFileSync(file, "utf8")).join("\n");
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}
