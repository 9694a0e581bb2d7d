import { TABLE, type Group, type Row } from "../../src/settings/table";
import { readComments } from "./comments";

const HEAD = `# Settings

Printed from \`src/settings/table.ts\` by \`scripts/print-docs\`: change it there.

The service takes its settings from environment variables. An empty variable counts as one that isn't set. Everything that
is wrong is reported at once, with what to write instead; then the service exits with 78. The library takes its settings
as options of \`createCurfew\`, and throws a \`TypeError\` that reports the same. Where production has another default, the
library has that one, wherever it runs.

| Variable | Option | Default | What it is | What to write |
| --- | --- | --- | --- | --- |
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
    comment.replaceAll(/docs\/(\S+?\.md)/g, "[$&]($1)"),
    toWrite(each),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
}

function defaultOf(each: Row | Group): string {
  if ("members" in each) return each.variable === undefined ? "" : code("on");
  const { default: usual, inProduction, variable } = each;
  if (usual === undefined || usual === "") return "none";
  const asVariable =
    inProduction === undefined ? code(usual) : `${code(usual)}, in production ${code(inProduction)}`;
  const asOption = each.isOption && !each.isPart ? asWritten(each, inProduction ?? usual) : undefined;
  if (variable === undefined) return asOption ?? asVariable;
  return asOption === undefined || asOption === code(usual) ? asVariable : `${asVariable} · ${asOption}`;
}

/** The default as an option would say it: what the text is read as, unless the option is text too. */
function asWritten({ kind }: Row, text: string): string {
  const value = kind.text.parse(text);
  return code(JSON.stringify(kind.value.safeParse(value).success ? value : text));
}

function toWrite(each: Row | Group): string {
  if ("members" in each) return each.variable === undefined ? "" : "on or off · an object, or `false`";
  const { text, value } = each.kind;
  const forVariable = each.variable === undefined ? undefined : text.description;
  const forOption = each.isOption ? value.description : undefined;
  return [...new Set([forVariable, forOption].filter((write) => write !== undefined))].join(" · ");
}

const code = (text: string) => `\`${text}\``;
