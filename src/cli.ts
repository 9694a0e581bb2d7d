#!/usr/bin/env node
import { EXIT, fail, print, usageOf, type Command } from "./cli/command";
import { beginEpoch } from "./cli/begin-epoch";
import { lift } from "./cli/denylist/lift";
import { revoke } from "./cli/denylist/revoke";
import { revoked } from "./cli/denylist/revoked";
import { show } from "./cli/denylist/show";
import { status } from "./cli/denylist/status";
import { watch } from "./cli/denylist/watch";
import { why } from "./cli/denylist/why";
import { keys } from "./cli/keys";
import { sessions } from "./cli/sessions";
import { users } from "./cli/users";

const COMMANDS = new Map<string, Command>([
  ["status", status],
  ["why", why],
  ["revoked", revoked],
  ["show", show],
  ["revoke", revoke],
  ["lift", lift],
  ["watch", watch],
  ["users", users],
  ["sessions", sessions],
  ["keys", keys],
  ["begin-epoch", beginEpoch],
]);

async function run([name = "", ...args]: string[]): Promise<number> {
  const usage = usageOf(COMMANDS.values());
  if (["help", "--help", "-h"].includes(name)) return print(usage);
  const command = COMMANDS.get(name);
  return command ? command.run(args, process.env) : fail(EXIT.misused, usage);
}

// Whoever read it has seen enough: `curfew users list | head`.
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
  process.exit(code === "EPIPE" ? EXIT.done : EXIT.faulty);
});

run(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error: unknown) => {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.exitCode = fail(EXIT.faulty, `This is a fault of Curfew's; please report it.\n${what}\n`);
  },
);
