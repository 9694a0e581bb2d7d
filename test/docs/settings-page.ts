import { TABLE, type Group, type Row } from "../../src/settings/table";
import { readComments } from "./comments";

const HEAD = `# Settings

Printed from \`src/settings/table.ts\` by \`scripts/print-docs\`: change it there.

The service reads its settings from environment variables. An empty variable counts as not set. Every mistake is
reported at once, with what to write instead; then the service exits with code 78. The library takes its settings as
options of \`createCurfew\`, and throws a \`TypeError\` that reports the same. If production has a different default, the
library uses that one wherever it runs.

| Variable | Option | Default | |
| --- | --- | --- | --- |
`;

/** docs/settings.md: a line for each setting, with its comment in the table. */
export function printSettings(): string {
  const comments = readComments("src/settings/table.ts", "TABLE");
  const linesOf = (name: string, each: Row | Group) => [
    lineOf(name, each, comments.get(name) ?? ""),
    ...Object.entries("members" in each ? each.members : {}).map(([member, row]) => {
      const path = `${name}.${member}`;
      return lineOf(path, { ...row, ...(each.isOption && { isOption: true }) }, comments.get(path) ?? "");
    }),
  ];
  return `${HEAD}${Object.entries<Row | Group>(TABLE)
    .flatMap(([name, each]) => linesOf(name, each))
    .join("")}`;
}

function lineOf(name: string, each: Row | Group, comment: string): string {
  const { variable, isOption } = each;
  const cells = [
    variable === undefined ? "" : code(variable),
    isOption ? code(name) : "",
    defaultOf(each),
    `${comment.replaceAll(/docs\/(\S+?\.md)/g, "[$&]($1)")}<br>${whatToWrite(each)}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
}

/** As the variable has it, and as the option has it where that says something else. */
function defaultOf(each: Row | Group): string {
  const { default: usual, inProduction, variable, isOption, isPart } = each;
  if (usual === undefined || usual === "" || ("members" in each && variable === undefined)) return "none";
  const production = inProduction === undefined ? "" : `, in production ${code(inProduction)}`;
  const asVariable = `${code(usual)}${production}`;
  if (!isOption || isPart || "members" in each) return asVariable;
  const asOption = valueOf(each, inProduction ?? usual);
  if (variable === undefined) return code(asOption);
  return [usual, JSON.stringify(usual)].includes(asOption) ? asVariable : `${asVariable} · ${code(asOption)}`;
}

/** What the text is read as, unless the option is text too. */
function valueOf({ kind }: Row, text: string): string {
  const value = kind.text.parse(text);
  return JSON.stringify(kind.value.safeParse(value).success ? value : text);
}

function whatToWrite({ kind, variable, isOption }: Row | Group): string {
  const [text, value] = [kind.text, kind.value].map(({ description = "" }) =>
    description.replaceAll("*", "\\*"),
  );
  if (variable === undefined) return `Write ${String(value)}`;
  return isOption && value !== text
    ? `Write ${String(text)}; as an option ${String(value)}`
    : `Write ${String(text)}`;
}

const code = (text: string) => `\`${text}\``;
