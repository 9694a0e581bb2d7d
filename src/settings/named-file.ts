import { readFileSync } from "node:fs";
import type { Reading } from "./reading";

type FileSetting = "issuers" | "clients";

/** The text of the file that a variable names; undefined if it names none, or one that can't be read, which is refused. */
export function readNamedFile(reading: Reading<"text">, name: FileSetting): string | undefined {
  const file = reading.read(name);
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    reading.refuse(name, `it can't be read (${String((error as NodeJS.ErrnoException).code)})`);
    return undefined;
  }
}
