import { isCanonicalBase64url } from "../tokens/base64url";
import { isObject } from "../tokens/json";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a part of a token that others made: a JSON object in UTF-8, written with white space and escapes as its maker likes,
 * but in which no name stands twice, because of two readers one would go by the first and the other by the last.
 */
export function decodeForeignJson(part: string): Record<string, unknown> | undefined {
  if (!isCanonicalBase64url(part)) return undefined;
  try {
    const text = UTF8.decode(Buffer.from(part, "base64url"));
    const value: unknown = JSON.parse(text);
    return isObject(value) && !repeatsName(text) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What a part seems to say, while nobody knows who wrote it: far cheaper than to read it, and nothing to rely on. Whoever
 * repeats a name is taken at their last word.
 */
export function glanceAtJson(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** Names and braces in JSON that can be parsed: there, a string with a colon behind it is a name, and none is in an array. */
const MARKS = /"((?:[^"\\]+|\\.)*)"(\s*:)?|[{}]/g;

function repeatsName(json: string): boolean {
  const open: Set<string>[] = [];
  for (const [mark, text = "", colon] of json.matchAll(MARKS)) {
    // As if it stood there already: whoever copies it by assignment changes what the copy inherits.
    if (mark === "{") open.push(new Set(["__proto__"]));
    else if (mark === "}") open.pop();
    else if (colon !== undefined) {
      const names = open.at(-1);
      const name = text.includes("\\") ? (JSON.parse(`"${text}"`) as string) : text;
      if (names?.has(name)) return true;
      names?.add(name);
    }
  }
  return false;
}
