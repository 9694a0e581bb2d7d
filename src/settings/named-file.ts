import { readFileSync } from "node:fs";
import type { Reading } from "./reading";

type FileSetting = "issuers" | "clients";

/** Reads the file that a variable names. Undefined if it names none; a file that can't be read is reported. */
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
