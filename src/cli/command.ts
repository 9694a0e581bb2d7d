/** The exit codes. */
export const EXIT = { done: 0, missing: 1, misused: 2, unreachable: 3, misconfigured: 78 } as const;

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

export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, at) => Math.max(cell.length, widest[at] ?? 0)),
    [],
  );
  const lineOf = (row: readonly string[]) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ");
  return rows.map((row) => `${lineOf(row).trimEnd()}\n`).join("");
}

export function print(text: string): number {
  process.stdout.write(text);
  return EXIT.done;
}

export function fail(exitCode: number, text: string): number {
  process.stderr.write(text);
  return exitCode;
}
