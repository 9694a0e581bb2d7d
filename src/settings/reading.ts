import type { z } from "zod";
import { TABLE, type Group, type Row, type Settings, type Table } from "./table";

/** Which half of a kind is used: the one for text or the one for values. */
type Side = keyof Row["kind"];

/** Where settings come from, and what they are called there. `path` is a row's name, or `group.member`. */
export type Source<S extends Side> = {
  readonly side: S;
  /** Whether production's defaults apply. */
  readonly isProduction: boolean;
  /** Returns what is given for a row, or undefined. */
  readonly give: (path: string, row: Row) => unknown;
  readonly nameOf: (path: string, row: Row | undefined) => string;
  /** Quotes an invalid value for a message; undefined if it must not be shown. */
  readonly quote: (value: unknown, row: Row) => string | undefined;
};

type ReadOf<R, S extends Side> = R extends Group
  ? unknown
  : R extends Row
    ? Exclude<z.output<R["kind"][S]>, undefined> | (R extends { default: string } ? never : undefined)
    : never;

/** Reads rows of the table from one source, and collects everything that is wrong, so that it is reported at once. */
export type Reading<S extends Side> = {
  /**
   * Returns the given value, else the default. For a refused value too: it is never used, as reading fails in the end.
   */
  readonly read: <Name extends keyof Table>(name: Name) => ReadOf<Table[Name], S>;
  readonly readAll: <Name extends keyof Settings>(names: readonly Name[]) => Pick<Settings, Name>;
  readonly isGiven: (name: keyof Table) => boolean;
  /** Whether the setting, or a member of it, has been refused. */
  readonly isRefused: (name: keyof Table) => boolean;
  readonly nameOf: (name: keyof Table) => string;
  /** Reports a problem. `found` must not contain a secret. `write` is the row's description unless it is given. */
  readonly refuse: (path: string, found?: string, write?: string) => void;
  /** What was refused so far, one line each. */
  readonly problems: readonly string[];
};

export function createReading<S extends Side>(source: Source<S>): Reading<S> {
  const { side } = source;
  const problems: string[] = [];
  const refused = new Set<string>();

  function refuse(path: string, found?: string, write = rowAt(path)?.kind[side].description): void {
    refused.add(path.split(/[.[]/)[0] ?? path);
    const what = found === undefined ? "" : `${found}, `;
    problems.push(`${source.nameOf(path, rowAt(path))}: ${what}write ${String(write)}`);
  }

  function readRow(path: string, row: Row): unknown {
    const given = source.give(path, row);
    if (given !== undefined) {
      const { success, data } = row.kind[side].safeParse(given);
      if (success && data !== undefined) return data;
      if (!success) refuse(path, source.quote(given, row));
    }
    const text = (source.isProduction ? row.inProduction : undefined) ?? row.default;
    return text === undefined ? undefined : row.kind.text.parse(text);
  }

  function readGroup(name: string, group: Group): unknown {
    const isOn = readRow(name, group);
    const members = Object.entries(group.members).map(([member, row]) => [
      member,
      readRow(`${name}.${member}`, row),
    ]);
    return isOn ? Object.fromEntries(members) : undefined;
  }

  const read = (name: keyof Table): unknown => {
    const each: Row | Group = TABLE[name];
    return "members" in each ? readGroup(name, each) : readRow(name, each);
  };

  return {
    read: read as Reading<S>["read"],
    readAll: <Name extends keyof Settings>(names: readonly Name[]) =>
      Object.fromEntries(names.map((name) => [name, read(name)])) as Pick<Settings, Name>,
    isGiven: (name) => source.give(name, TABLE[name]) !== undefined,
    isRefused: (name) => refused.has(name),
    nameOf: (name) => source.nameOf(name, TABLE[name]),
    refuse,
    problems,
  };
}

/** Undefined for a name that isn't in the table, such as an unknown option. */
function rowAt(path: string): Row | undefined {
  const [name = "", member = ""] = path.split(".");
  if (!Object.hasOwn(TABLE, name)) return undefined;
  const each: Row | Group = TABLE[name as keyof Table];
  if (member === "") return each;
  return "members" in each ? each.members[member] : undefined;
}
