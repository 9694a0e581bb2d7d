const QUIET_MS = 500;
const EVERY_MS = 100;

type Out = { isTTY: boolean; write(text: string): unknown };

/** Says on the terminal how far a long search is, and nothing where nobody looks, or while it is short. */
export function createProgress(total: number, what = "keys", out: Out = process.stderr) {
  const beganAt = performance.now();
  let [done, saidAt] = [0, 0];

  return {
    /** Says where it was stopped. */
    stopped: () => `Looked at ${done.toLocaleString("en")} of about ${total.toLocaleString("en")} ${what}.\n`,
    /** Call it before anything else is printed. */
    clear() {
      if (saidAt > 0) out.write("\r\u001B[K");
    },
    add(count: number) {
      done += count;
      const now = performance.now();
      if (!out.isTTY || now - beganAt < QUIET_MS || now - saidAt < EVERY_MS) return;
      saidAt = now;
      const share = Math.min(99, Math.floor((100 * done) / Math.max(total, 1)));
      out.write(`\r\u001B[KLooked at ${share} % of ${total.toLocaleString("en")} ${what}. Ctrl-C stops it.`);
    },
  };
}
