type Fetch = typeof fetch;

/** Returns a function that makes the same request again and again. What can be read only once is copied for each. */
export function createReplay(input: Parameters<Fetch>[0], init: Parameters<Fetch>[1]): () => Request {
  if (input instanceof Request || init?.body instanceof ReadableStream) {
    const request = new Request(input, init);
    return () => request.clone();
  }
  return () => new Request(input, init);
}
