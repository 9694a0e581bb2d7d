/** Does something again and again, never twice at a time. When it fails there is no Redis to be had, which others tell. */
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
