#!/usr/bin/env node
import { EXIT, fail, print, usageOf, type Command } from "./cli/command";
import { beginEpoch } from "./cli/begin-epoch";
import { keys } from "./cli/keys";

const COMMANDS = new Map<string, Command>([
  ["keys", keys],
  ["begin-epoch", beginEpoch],
]);

async function run([name = "", ...args]: string[]): Promise<number> {
  const usage = usageOf(COMMANDS.values());
  if (["help", "--help", "-h"].includes(name)) return print(usage);
  const command = COMMANDS.get(name);
  return command ? command.run(args, process.env) : fail(EXIT.misused, usage);
}

void run(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
