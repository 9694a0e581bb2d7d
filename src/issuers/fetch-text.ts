import { isNativeError } from "node:util/types";

type Bounds = { timeoutMs: number; maxBytes: number; fetch: typeof fetch; closing: AbortSignal };

/** Uncompressed, so that few bytes can't become many. */
const HEADERS = { Accept: "application/jwk-set+json, application/json", "Accept-Encoding": "identity" };

/** Fetches a text. Rejects if it takes too long, is too large, or the answer is a redirect or not 200. */
export async function fetchText(
  uri: string,
  { timeoutMs, maxBytes, fetch, closing }: Bounds,
): Promise<string> {
  const stop = new AbortController();
  const onClose = () => {
    stop.abort(closing.reason);
  };
  const onTimeUp = () => {
    stop.abort(new Error(`it took longer than ${timeoutMs} ms`));
  };
  closing.throwIfAborted();
  closing.addEventListener("abort", onClose);
  const timer = setTimeout(onTimeUp, timeoutMs).unref();
  try {
    const response = await fetch(uri, { headers: HEADERS, redirect: "error", signal: stop.signal });
    if (response.status !== 200) throw new Error(`it answered with ${response.status}`);
    return await readText(response, maxBytes);
  } finally {
    clearTimeout(timer);
    closing.removeEventListener("abort", onClose);
    // Releases the connection of a body that wasn't read to its end.
    stop.abort();
  }
}

async function readText({ body }: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`it sent more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Why fetching failed: fetch() only says that it did, and its `cause` says why. */
export function reasonOf(error: unknown): string {
  if (!isNativeError(error)) return String(error);
  const { cause, message } = error;
  if (!isNativeError(cause)) return message;
  return cause.message === "" ? String((cause as NodeJS.ErrnoException).code) : cause.message;
}
