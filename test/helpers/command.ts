import { execFile } from "node:child_process";

export type Ended = { exitCode: number; stdout: string; stderr: string };

/** The command `curfew`, as `node dist/cli.js` runs it. */
export function curfew(words: string[], env: NodeJS.ProcessEnv = {}, input = ""): Promise<Ended> {
  const args = [`${process.cwd()}/dist/cli.js`, ...words];
  return new Promise((resolve) => {
    const { stdin } = execFile(
      process.execPath,
      args,
      { env: { PATH: process.env["PATH"], ...env } },
      (error, stdout, stderr) => {
        resolve({ exitCode: error ? Number(error.code ?? NaN) : 0, stdout, stderr });
      },
    );
    // Whoever doesn't read it may have ended already.
    stdin?.on("error", () => undefined).end(input);
  });
}
