import { CurfewError } from "../../errors";
import type { Kind } from "../../denylist/entry";
import { KIND_OF, type Entry, type Uses } from "../../ops/entries";
import type { KeylessOps } from "../../ops/ops";
import { EXIT, fail, print } from "../command";
import { withDesk } from "../connection";
import { createCommand, createStep } from "../step";
import { paint, plain, plainJson } from "../terminal";
import { objectionToId } from "./given";
import { detailsOf, formatRows } from "./story";

type Shown = { entry: Entry; uses: Uses | undefined };

const KINDS: readonly Kind[] = ["token", "session", "user"];

const step = createStep({
  line: "show [token|session|user] ID [--json]",
  does: "Tells who revoked something, when, why, from where and until when, and whether it was used since",
  more: "ID is a jti, a sid or a subject; what is an issuer's begins with its name: clerk:user_1. Without the kind, it looks for all three. --json prints a line of JSON for each entry.",
  examples: [
    ["show 0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11", "a token or a session, whichever it is"],
    ["show user clerk:user_1", "everything that a foreign user had up to then"],
  ],
  options: { json: { type: "boolean" } },
  words: [1, 2],
  run({ words, options: { json = false } }, env) {
    const kind = words.length === 2 ? readKind(words[0] ?? "") : undefined;
    if (words.length === 2 && !kind) return { wrong: WRONG_KIND };
    const id = words.at(-1) ?? "";
    const wrong = objectionToId(id);
    if (wrong !== undefined) return { wrong };
    return withDesk(env, async ({ ops }) => {
      const found = await findAll(ops, kind ? [kind] : KINDS, id);
      if (found.length === 0) return fail(EXIT.missing, nothingAt(id));
      return print(found.map(json ? toJson : toText).join(json ? "" : "\n"));
    });
  },
});

/** One entry's story. */
export const show = createCommand({ "": step });

/** A kind by its name, or by what its keys call it. */
export const readKind = (name: string): Kind | undefined =>
  Object.hasOwn(KIND_OF, name) ? KIND_OF[name as keyof typeof KIND_OF] : undefined;

export const WRONG_KIND = "The kind is token, session or user.";

export const nothingAt = (id: string) =>
  `Nothing denies ${plain(id)}: there is no such entry, or it is gone because what it denied has expired. \`curfew revoked --search TEXT\` looks for a part of anything, \`curfew revoked --user USER\` for what a user had.\n`;

async function findAll(ops: KeylessOps, kinds: readonly Kind[], id: string): Promise<Shown[]> {
  const found = await Promise.all(kinds.map((kind) => ops.show(kind, id).catch(noneIfMissing)));
  return found.flatMap((each) => each ?? []);
}

function noneIfMissing(error: unknown): undefined {
  if (!(error instanceof CurfewError && error.code === "not_found")) throw error;
}

const toJson = ({ entry, uses }: Shown) => `${plainJson({ ...entry, uses: uses ?? null })}\n`;

const toText = ({ entry, uses }: Shown) =>
  `${paint("bold", `${entry.kind} ${plain(entry.id)}`)}\n${formatRows(detailsOf(entry, uses))}`;
