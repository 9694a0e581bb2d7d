import type { IncomingMessage } from "node:http";

/**
 * Every Authorization header of a request, as it was sent. Of several, Node's own `headers` keep the first and drop the
 * rest; `headersDistinct` has all of them, but copies every other header, too.
 */
export function authorizationsOf({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">): string[] {
  const found: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (name.length === NAME.length && name.toLowerCase() === NAME) found.push(rawHeaders[at + 1] ?? "");
  }
  return found;
}

const NAME = "authorization";
