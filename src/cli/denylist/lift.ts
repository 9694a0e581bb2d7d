import type { Entry } from "../../ops/entries";
import type { Rule } from "../../ops/rules";
import { actorOf, objectionToReason, tellRefusal, UNCHANGED } from "../acting";
import { confirm, isAttended } from "../ask";
import { EXIT, fail, print } from "../command";
import { withDesk } from "../connection";
import { createCommand, createStep } from "../step";
import { plain, plainJson } from "../terminal";
import { objectionToId } from "./given";
import { nothingAt, readKind, WRONG_KIND } from "./show";
import { formatRule } from "./story";

const step = createStep({
  line: "lift token|session|user ID [--reason TEXT] [--yes]",
  does: "Takes a revocation back, and says what still refuses the token",
  more: "ID is a jti, a sid or a subject, as `curfew revoked` shows it. A session that was ended stays over: only what is left of its access tokens is accepted again. Lifting a user's cut-off asks to be sure, unless --yes is given; where nobody can be asked, --yes is needed. --json prints the entry and the rules that are left.",
  examples: [
    ['lift token 0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11 --reason "the wrong one, ticket 7"', ""],
    ["lift user clerk:user_1 --yes", "without asking"],
  ],
  options: { reason: { type: "string" }, yes: { type: "boolean" }, json: { type: "boolean" } },
  words: [2, 2],
  run({ words: [name = "", id = ""], options: { reason, yes = false, json = false } }, env) {
    const kind = readKind(name);
    if (!kind) return { wrong: WRONG_KIND };
    const wrong = objectionToId(id) ?? objectionToReason(reason);
    if (wrong !== undefined) return { wrong };
    const isSure = yes || kind !== "user";
    if (!isSure && !isAttended())
      return { wrong: "This brings back all tokens of a user, so it needs --yes." };
    return withDesk(env, async (desk) => {
      const question = `Accept all tokens of ${plain(id)} again that were issued before?`;
      if (!isSure && !(await confirm(question))) return fail(EXIT.misused, UNCHANGED);
      try {
        const { lifted, stillRefusedBy } = await desk.ops.lift(kind, id, actorOf(desk, reason));
        return print(json ? toJson(lifted, stillRefusedBy) : toText(lifted, stillRefusedBy));
      } catch (error) {
        return tellRefusal(error, { missing: nothingAt(id) });
      }
    });
  },
});

/** Takes a revocation back. */
export const lift = createCommand({ "": step });

const toJson = (lifted: Entry, stillRefusedBy: Rule[]) =>
  `${plainJson({ lifted, still_refused_by: stillRefusedBy })}\n`;

function toText(lifted: Entry, stillRefusedBy: Rule[]): string {
  return `Lifted: ${lifted.kind} ${plain(lifted.id)}.\n${whatIsLeft(lifted, stillRefusedBy)}`;
}

function whatIsLeft({ kind, sub }: Entry, stillRefusedBy: Rule[]): string {
  if (stillRefusedBy.length > 0) return `Still refused, by:\n${stillRefusedBy.map(formatRule).join("\n")}`;
  if (sub === null)
    return "It didn't say whose it was. `curfew why -` with the token says whether anything else refuses it.\n";
  return kind === "session"
    ? "Nothing else refuses its access tokens. The session stays over: it can't be refreshed.\n"
    : "Nothing else that is denied refuses it.\n";
}
