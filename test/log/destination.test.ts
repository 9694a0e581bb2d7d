import { execFileSync } from "node:child_process";
import { setImmediate as turn } from "node:timers/promises";
import { writeTogether } from "../../src/log/destination";

describe("the log's lines", () => {
  it("of one moment are written at once, in their order, and those of the next by themselves", async () => {
    const written: string[] = [];
    const { write } = writeTogether((lines) => written.push(lines));
    write("one\n");
    write("two\n");
    expect(written).toEqual([]);
    await turn();
    write("three\n");
    await turn();
    expect(written).toEqual(["one\ntwo\n", "three\n"]);
  });

  it("are all written when the process ends in that moment", () => {
    const script = `
      const { writeTogether } = require("./src/log/destination");
      const { write } = writeTogether((lines) => require("node:fs").writeSync(1, lines));
      write("one\\n");
      write("two\\n");
      process.exit(1);`;
    const run = () => execFileSync(process.execPath, ["-r", "ts-node/register/transpile-only", "-e", script]);
    expect(run).toThrow(expect.objectContaining({ stdout: Buffer.from("one\ntwo\n") }) as Error);
  });
});
