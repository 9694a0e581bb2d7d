import { execFileSync } from "node:child_process";

type Shown = { exitCode: number; shown: string };
type Options = { columns?: number; answers?: [question: string, answer: string][] };

/** The command `curfew` as somebody runs it on a terminal, and what they see. */
export function curfewOnTerminal(words: string[], env: NodeJS.ProcessEnv, options: Options = {}): Shown {
  const { columns = 80, answers = [] } = options;
  const command = [process.execPath, `${process.cwd()}/dist/cli.js`, ...words];
  const told = execFileSync(
    "python3",
    ["test/helpers/terminal.py", JSON.stringify([columns, answers, command])],
    { env: { PATH: process.env["PATH"], TERM: "xterm", ...env }, encoding: "utf8" },
  );
  return JSON.parse(told) as Shown;
}
