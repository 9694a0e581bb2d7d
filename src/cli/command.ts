import { once } from "node:events";
import { table } from "./table";

/** The exit codes. */
export const EXIT = {
  done: 0,
  missing: 1,
  misused: 2,
  unreachable: 3,
  faulty: 70,
  misconfigured: 78,
  interrupted: 130,
} as const;

/** One word after `curfew`. It does its own printing and returns the exit code. */
export type Command = {
  /** How to write it, and what it does. */
  readonly usage: readonly (readonly [line: string, does: string])[];
  run(args: string[], env: NodeJS.ProcessEnv): number | Promise<number>;
};

export function usageOf(commands: Iterable<Command>): string {
  const rows = [...commands].flatMap(({ usage }) => usage);
  return `Usage:\n${table(rows.map(([line, does]) => [`  curfew ${line}`, does]))}`;
}

export function print(text: string): number {
  process.stdout.write(text);
  return EXIT.done;
}

/** For much text: waits for whoever reads it. */
export async function printMuch(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

export function fail(exitCode: number, text: string): number {
  process.stderr.write(text);
  return exitCode;
}
