/**
 * Runs something again and again, never twice at a time. Failures are ignored: they mean that Redis is away, which is
 * reported elsewhere. Returns a function that stops it.
 */
export function repeat(work: () => Promise<unknown>, everyMs: number): () => void {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    if (!isStopped) timer = setTimeout(() => void work().then(next, next), everyMs).unref();
  };
  next();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
