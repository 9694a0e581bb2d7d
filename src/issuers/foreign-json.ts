import { isCanonicalBase64url } from "../tokens/base64url";
import { isObject } from "../tokens/json";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a part of a foreign token: a JSON object in UTF-8, with any white space and escapes. Returns undefined if a
 * name occurs twice, because some readers would take the first value and others the last.
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
 * Reads a part before its signature is verified: far cheaper than decodeForeignJson, and not to be relied on. If a name
 * occurs twice, the last value counts.
 */
export function glanceAtJson(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** Names and braces in valid JSON, where a string before a colon is always a name. */
const MARKS = /"((?:[^"\\]+|\\.)*)"(\s*:)?|[{}]/g;

function repeatsName(json: string): boolean {
  const open: Set<string>[] = [];
  for (const [mark, text = "", colon] of json.matchAll(MARKS)) {
    // Refused as if it were there twice: code that copies it by assignment would change the copy's prototype.
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
