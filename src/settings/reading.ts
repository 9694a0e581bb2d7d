/** Makes of what somebody gave what it must be, or throws a TypeError that says what to write. */
export type Read<T> = (value: unknown) => T;

/** Reads the members of an object of options one by one, and remembers what was wrong, so that every mistake is told at once. */
export function createReading(what: string, options: unknown) {
  const problems: string[] = [];
  const known = new Set<string>();
  const given = isObject(options) ? options : {};
  if (!isObject(options)) problems.push("it is not an object of options");

  function read<T>(name: string, readIt: Read<T>): T;
  function read<T, D>(name: string, readIt: Read<T>, fallback: D): T | D;
  function read<T, D>(name: string, readIt: Read<T>, ...fallbacks: D[]): T | D {
    known.add(name);
    const value = given[name];
    if (value === undefined && fallbacks.length > 0) return fallbacks[0] as D;
    try {
      return readIt(value);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      problems.push(...error.message.split("\n").map((problem) => `${name}: ${problem}`));
      // Nobody gets to see it: finish() throws.
      return undefined as T;
    }
  }

  return {
    read,
    isGiven: (name: string) => given[name] !== undefined,
    /** Throws if anything was wrong. A name that isn't known is a typo, or something that somebody relies on. */
    finish: (): void => {
      for (const name of Object.keys(given).filter((each) => !known.has(each))) {
        problems.push(`${name.slice(0, 40)}: there is no such option, write one of ${[...known].join(", ")}`);
      }
      if (problems.length > 0) throw new TypeError([`${what}:`, ...problems].join("\n"));
    },
  };
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
