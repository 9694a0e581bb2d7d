import { NOTE_MAX } from "../denylist/revoking";
import { CurfewError } from "../errors";
import type { Actor } from "../ops/changes";
import { EXIT, fail } from "./command";
import { withDesk, type Desk } from "./connection";
import { plain } from "./terminal";

export const UNCHANGED = "Nothing was changed.\n";

/** Somebody reads it in a terminal or a file, where control characters could forge lines. */
const REASON = new RegExp(`^[^\\p{Cc}\\p{Zl}\\p{Zp}]{0,${NOTE_MAX}}$`, "u");

/** What is wrong with a reason, if something is. */
export const objectionToReason = (reason = ""): string | undefined =>
  REASON.test(reason) ? undefined : `--reason: write one line of ${NOTE_MAX} characters at most.`;

/** Whoever runs this command, with the reason that they gave. */
export const actorOf = ({ by }: Pick<Desk, "by">, reason = ""): Actor => ({
  by,
  ...(reason.trim() !== "" && { note: reason.trim() }),
});

/** Runs a change of an account in the name of whoever runs this command. */
export function act(
  env: NodeJS.ProcessEnv,
  user: string,
  { reason }: { reason?: string | undefined },
  change: (desk: Desk, actor: Actor) => Promise<number>,
): Promise<number> | number {
  const wrong = objectionToReason(reason);
  if (wrong !== undefined) return fail(EXIT.misused, `${wrong}\n`);
  return withDesk(env, (desk) =>
    change(desk, actorOf(desk, reason)).catch((error: unknown) => tellRefusal(error, aboutAccount(user))),
  );
}

/** What to say where something isn't there, or is there already. */
type Refusals = { missing: string; taken?: string };

/** Says in words what kept something from being done. Rethrows what isn't for whoever runs the command to mend. */
export function tellRefusal(error: unknown, refusals: Refusals): number {
  if (!(error instanceof CurfewError)) throw error;
  const refusal = refusalOf(error, refusals);
  if (!refusal) throw error;
  return fail(...refusal);
}

function refusalOf(
  { code, details = [] }: CurfewError,
  { missing, taken = "" }: Refusals,
): [number, string] | undefined {
  if (code === "not_found") return [EXIT.missing, missing];
  if (code === "email_taken") return [EXIT.misused, taken];
  if (code !== "invalid_request") return undefined;
  return [EXIT.misused, details.map(({ path, message }) => `The ${path} ${message}.\n`).join("") + UNCHANGED];
}

export const aboutAccount = (user: string): Refusals => ({
  missing: `There is no account ${plain(user)}. \`curfew users list --search TEXT\` finds one by a part of its address; accounts in an app's own table aren't here.\n`,
  taken: `There is an account ${plain(user)} already. \`curfew users grant\` gives it roles, \`curfew users passwd\` a password.\n`,
});
