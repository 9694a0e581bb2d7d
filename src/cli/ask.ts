import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** Whether somebody is there to be asked. */
export const isAttended = () => process.stdin.isTTY && process.stderr.isTTY;

/** Asks for a line on the terminal. Undefined if whoever was asked broke off. */
export function ask(question: string, { isHidden = false } = {}): Promise<string | undefined> {
  const nowhere = new Writable({
    write(_chunk, _encoding, done) {
      done();
    },
  });
  const output = isHidden ? nowhere : process.stderr;
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  // Only now: from here on the terminal itself doesn't show what is typed.
  process.stderr.write(question);
  return new Promise((resolve) => {
    lines.once("line", (line) => {
      resolve(line);
      lines.close();
    });
    lines.once("SIGINT", () => {
      lines.close();
    });
    lines.once("close", () => {
      // The end of the line wasn't shown, or it was broken off.
      if (isHidden) process.stderr.write("\n");
      resolve(undefined);
    });
  });
}

/** Asks whether to go on, and takes only a yes for it. */
export const confirm = async (question: string): Promise<boolean> =>
  /^y(es)?$/i.test((await ask(`${question} [y/N] `)) ?? "");
