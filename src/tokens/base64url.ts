import { isObject } from "./json";

/** True for the one spelling that encoding the same bytes gives: no padding, no stray bits, no other characters. */
export const isCanonicalBase64url = (text: string) =>
  text !== "" && Buffer.from(text, "base64url").toString("base64url") === text;

export const encodeJson = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/**
 * Reads a JSON object if the text is exactly what encodeJson makes of it. That one comparison rules out every other
 * spelling: padding and stray bits, invalid UTF-8, a byte order mark, white space, and a name that occurs twice.
 */
export function decodeJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return isObject(value) && encodeJson(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}
