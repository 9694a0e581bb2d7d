import type { Explanation } from "../../ops/why";
import { tellRefusal } from "../acting";
import { EXIT, print } from "../command";
import { withDesk, withKeyedDesk } from "../connection";
import { isAttended } from "../ask";
import { createCommand, createStep } from "../step";
import { paint, plainJson } from "../terminal";
import { momentOf } from "../times";
import { askForPasted, readPasted, type Pasted } from "./given";
import { formatRows, formatRule } from "./story";

const step = createStep({
  line: "why TOKEN|JTI|- [--json]",
  does: "Says whether a token is accepted or refused, by which rules, and who is behind each",
  more: "With -, it reads what is asked about from standard input, so that no token gets into the shell's history; on a terminal it asks for it. An access token or a refresh token may be pasted as it was found, with Bearer, quotes or line breaks. It is never shown. Verifying a token needs the service's own settings with its key; a jti needs only REDIS_. Exit code 1: nothing is known of that jti.",
  examples: [
    ["why -", "asks for it"],
    ["why - < token.txt", ""],
    [
      "why 0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11 --json | jq -r .verdict",
      "alive, dead, not_genuine or unknown",
    ],
  ],
  options: { json: { type: "boolean" } },
  words: [0, Infinity],
  async run({ words, options: { json = false } }, env) {
    if (words.length === 0 && !isAttended()) return { wrong: "Something is missing." };
    const isAsked = words.length === 0 || (words.length === 1 && words[0] === "-");
    const pasted = isAsked ? await askForPasted() : readPasted(words.join(" "));
    if ("id" in pasted && pasted.id === "") return { wrong: "There is nothing to explain." };
    return explain(env, pasted, json ? toJson : toText);
  },
});

/** Why a token is refused, or isn't. */
export const why = createCommand({ "": step });

function explain(
  env: NodeJS.ProcessEnv,
  pasted: Pasted,
  format: (explanation: Explanation) => string,
): Promise<number> | number {
  const tell = (explanation: Explanation) => {
    print(format(explanation));
    return explanation.verdict === "unknown" ? EXIT.missing : EXIT.done;
  };
  if ("id" in pasted) return withDesk(env, async ({ ops }) => tell(await ops.why.jti(pasted.id)));
  return withKeyedDesk(env, ({ ops }) =>
    ops.why.token(pasted.token).then(tell, (error: unknown) => tellRefusal(error, { missing: "" })),
  );
}

const toJson = (explanation: Explanation) => `${plainJson(explanation)}\n`;

const VERDICT: Record<Explanation["verdict"], string> = {
  alive: "Alive: this token is accepted.",
  dead: "Dead: this token is refused.",
  not_genuine: "Not genuine: this token is refused, and nothing that it says can be believed.",
  unknown:
    "Unknown: nothing denies this jti. Whether its token is accepted, only the token tells: `curfew why -`.",
};

function toText({ verdict, rules, token }: Explanation): string {
  const head = paint(verdict === "dead" ? "red" : "bold", VERDICT[verdict]);
  return [`${head}\n${token ? formatRows(rowsOf(token)) : ""}`, ...rules.map(formatRule)].join("\n");
}

const rowsOf = ({ kind, sub, jti, sid, issued_at, expires_at }: NonNullable<Explanation["token"]>) =>
  [
    ["kind", KIND[kind]],
    ["user", sub],
    ["token", jti],
    ["session", sid],
    ["issued", issued_at && momentOf(issued_at)],
    ["expires", expires_at && momentOf(expires_at)],
  ] as const;

const KIND = { own: "an access token of ours", foreign: "of a trusted issuer", refresh: "a refresh token" };
