import { NOTE_MAX } from "../denylist/revoking";
import { CurfewError } from "../errors";
import type { Actor } from "../ops/changes";
import { EXIT, fail } from "./command";
import { withDesk, type Desk } from "./connection";
import { plain } from "./terminal";

export const UNCHANGED = "Nothing was changed.\n";

/** Runs a change in the name of whoever runs this command, and says in words what kept it from being made. */
export function act(
  env: NodeJS.ProcessEnv,
  user: string,
  { reason }: { reason?: string | undefined },
  change: (desk: Desk, actor: Actor) => Promise<number>,
): Promise<number> | number {
  if (reason !== undefined && reason.length > NOTE_MAX)
    return fail(EXIT.misused, `--reason: write ${NOTE_MAX} characters at most.\n`);
  return withDesk(env, async (desk) => {
    const actor = { by: desk.by, ...(reason !== undefined && reason !== "" && { note: reason }) };
    try {
      return await change(desk, actor);
    } catch (error) {
      return tellRefusal(error, user);
    }
  });
}

/** Rethrows what isn't about the account. */
export function tellRefusal(error: unknown, user: string): number {
  if (!(error instanceof CurfewError)) throw error;
  const refusal = refusalOf(error, plain(user));
  if (!refusal) throw error;
  return fail(...refusal);
}

function refusalOf({ code, details = [] }: CurfewError, user: string): [number, string] | undefined {
  if (code === "not_found")
    return [
      EXIT.missing,
      `There is no account ${user}. \`curfew users list --search TEXT\` finds one by a part of its address; accounts in an app's own table aren't here.\n`,
    ];
  if (code === "email_taken")
    return [
      EXIT.misused,
      `There is an account ${user} already. \`curfew users grant\` gives it roles, \`curfew users passwd\` a password.\n`,
    ];
  if (code !== "invalid_request") return undefined;
  return [EXIT.misused, details.map(({ path, message }) => `The ${path} ${message}.\n`).join("") + UNCHANGED];
}
