import { text as readAll } from "node:stream/consumers";
import { z } from "zod";
import { duration } from "../../settings/kinds";
import { ask, isAttended } from "../ask";

/** What somebody pasted: a token, or an id. A token is never shown again. */
export type Pasted = { token: string } | { id: string };

/** What stands in front of a token where it is copied from: a header, a cookie, a member of JSON. */
const BEFORE = /^[\s"'`]*(?:authorization\s*:)?[\s"'`]*(?:bearer\s|(?:__Host-)?[a-z_]+\s*["'`]?\s*[=:])?/i;
const AROUND = /[\s"'`\u200B\uFEFF]|[,;]\s*$/g;

/** Takes off what was copied along with it: line breaks, quotes, `Bearer`. */
export function readPasted(text: string): Pasted {
  const token = text.replace(BEFORE, "").replace(AROUND, "");
  return looksLikeToken(token) ? { token } : { id: text.trim().replace(/^(["'`])(.*)\1$/s, "$2") };
}

/** A part that is JSON tells a token, even a broken one, from any id. */
const looksLikeToken = (text: string) =>
  text.split(".").some((part) => /^\{\s*"/.test(Buffer.from(part, "base64url").toString()));

/** Of an id that is needed: what is wrong with it. The text itself isn't repeated, because it may be a token. */
export function objectionToId(text: string): string | undefined {
  if (text === "") return "The id is empty.";
  return "token" in readPasted(text)
    ? "That is a token, not an id. `curfew why -` reads a token."
    : undefined;
}

/** Reads it from the terminal, where it isn't shown, or else from standard input. */
export async function askForPasted(): Promise<Pasted> {
  if (!isAttended()) return readPasted(await readAll(process.stdin));
  return readPasted((await ask("Token or jti: ", { isHidden: true })) ?? "");
}

const TIME = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);

/** Unix seconds. A duration counts from now: forwards with 1, backwards with -1. Undefined for what isn't a time. */
export function readSeconds(text: string, direction: 1 | -1): number | undefined {
  if (/^\d{9,11}$/.test(text)) return Number(text);
  const span = duration.text.safeParse(text);
  if (span.success && span.data !== undefined) return Math.ceil(Date.now() / 1000 + direction * span.data);
  const time = TIME.safeParse(text);
  return time.success ? Math.ceil(Date.parse(time.data) / 1000) : undefined;
}

export const HOW_TO_WRITE_TIMES = "RFC 3339, Unix seconds or a duration such as 15m";
