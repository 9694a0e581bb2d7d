import { cut, isTerminal, paint, plain, widthOf } from "./terminal";

/** A column that `isWhole` keeps its width on the narrowest terminal: ids are there to be copied. */
export type Column = { title: string; width: number; isWhole?: true };

const GAP = "  ";
const LEAST = 6;
/** Of a terminal that doesn't know its own. */
const WIDTH = 80;

/** Rows under each other, in columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, at) => Math.max(widthOf(cell), widest[at] ?? 0)),
    [],
  );
  return rows.map((row) => lineOf(row, widths)).join("");
}

/**
 * Prints rows one by one, under titles. On a terminal the columns share its width, and cells that are longer are cut;
 * elsewhere nothing is. Cells come from strangers: what isn't text in them is replaced.
 */
export function createTable(columns: readonly Column[], out = process.stdout) {
  const isShown = isTerminal(out);
  const widths = isShown ? fit(columns, out.columns || WIDTH) : columns.map(({ width }) => width);

  function format(cells: readonly string[]): string {
    const fitting = cells.map((cell, at) => (isShown ? cut(plain(cell), widths[at] ?? 0) : plain(cell)));
    return lineOf(fitting, widths);
  }

  const titles = format(columns.map(({ title }) => title));
  let hasTitles = false;
  return (cells: readonly string[]): string => {
    const head = hasTitles ? "" : paint("bold", titles, out);
    hasTitles = true;
    return head + format(cells);
  };
}

/** The same for rows that are all there: a column is no wider than its widest cell. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widest = columns.map((column, at) => {
    const cells = [column.title, ...rows.map((row) => plain(row[at] ?? ""))];
    return { ...column, width: Math.max(...cells.map(widthOf)) };
  });
  return rows.map(createTable(widest)).join("");
}

/** Takes from the widest column that may be cut, until all fit. */
function fit(columns: readonly Column[], available: number): number[] {
  const widths = columns.map(({ width }) => width);
  const total = () => widths.reduce((sum, width) => sum + width, GAP.length * (columns.length - 1));
  for (;;) {
    const widest = Math.max(...widths.filter((_, at) => !columns[at]?.isWhole));
    if (total() <= available || widest <= LEAST) return widths;
    const at = widths.findIndex((width, each) => width === widest && !columns[each]?.isWhole);
    widths[at] = widest - 1;
  }
}

const lineOf = (cells: readonly string[], widths: readonly number[]) =>
  `${cells
    .map((cell, at) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - widthOf(cell))))
    .join(GAP)
    .trimEnd()}\n`;
