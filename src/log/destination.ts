/**
 * Writes the lines of a moment all at once: a write for each would cost more than making it. They come out as soon as
 * everything that was read from sockets has been handled, or when the process ends.
 */
export function writeTogether(write: (lines: string) => void): { write: (line: string) => void } {
  let lines = "";
  function flush(): void {
    const some = lines;
    lines = "";
    if (some !== "") write(some);
  }
  process.once("exit", flush);
  return {
    write(line) {
      if (lines === "") setImmediate(flush);
      lines += line;
    },
  };
}
