import type { WriteStream } from "node:tty";

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39] } as const;

/** A pipe or a file has no columns, although its type says so. */
export const isTerminal = (out: WriteStream) => out.isTTY;

/** In colour, or as it is where nobody sees colours: in a pipe or a file, with `NO_COLOR` or a dumb terminal. */
export function paint(style: keyof typeof CODES, text: string, out: WriteStream = process.stdout): string {
  if (!isTerminal(out) || !out.hasColors()) return text;
  const [on, off] = CODES[style];
  return `\u001B[${on}m${text.trimEnd()}\u001B[${off}m${text.slice(text.trimEnd().length)}`;
}

/**
 * What a terminal may be shown of a stranger's text: control characters could move the cursor, colour the screen or
 * write into the clipboard, and invisible ones could reverse what is read.
 */
export const plain = (text: string) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\uFFFD");

/** JSON with the same characters escaped, in one line. What a program reads is the same. */
export const plainJson = (value: unknown) =>
  JSON.stringify(value).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );

const letters = new Intl.Segmenter();
const WIDE =
  /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}|[\uFF01-\uFF60]/u;

/** How many columns of a terminal it takes, about: East Asian letters and emoji take two. */
export const widthOf = (text: string) =>
  /^[ -~]*$/.test(text) ? text.length : lettersOf(text).reduce((sum, letter) => sum + widthOfOne(letter), 0);

export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let [kept, taken] = ["", 1];
  for (const letter of lettersOf(text)) {
    taken += widthOfOne(letter);
    if (taken > width) break;
    kept += letter;
  }
  return `${kept}…`;
}

const lettersOf = (text: string) => Array.from(letters.segment(text), ({ segment }) => segment);
const widthOfOne = (letter: string) => (WIDE.test(letter) ? 2 : 1);
