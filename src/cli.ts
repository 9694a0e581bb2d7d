#!/usr/bin/env node
import { EXIT, fail, print, usageOf, type Command } from "./cli/command";
import { keys } from "./cli/keys";

const COMMANDS = new Map<string, Command>([["keys", keys]]);

function run([name = "", ...args]: string[]): number {
  const usage = usageOf(COMMANDS.values());
  if (["help", "--help", "-h"].includes(name)) return print(usage);
  const command = COMMANDS.get(name);
  return command ? command.run(args, process.env) : fail(EXIT.misused, usage);
}

process.exitCode = run(process.argv.slice(2));
