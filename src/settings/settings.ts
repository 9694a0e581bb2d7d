import { isIP } from "node:net";

/** A kind of setting: how its text is read (`undefined`: it can't be) and, for whoever wrote it wrong, what to write. */
export type Kind<T> = { readonly parse: (text: string) => T | undefined; readonly expects: string };

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

export const whole = (min: number, max: number): Kind<number> => ({
  parse: (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : undefined;
  },
  expects: `a whole number from ${min} to ${max}`,
});

const MAX_DURATION_SECONDS = 10 * 365 * 86_400;

/** A bare number is refused: whether 900 means seconds or milliseconds is anybody's guess. */
export const durationSeconds: Kind<number> = {
  parse: (text) => {
    const [, amount, unit] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
    const seconds = Number(amount) * (UNIT_SECONDS[unit ?? ""] ?? NaN);
    return seconds <= MAX_DURATION_SECONDS ? seconds : undefined;
  },
  expects: "a number with its unit, ten years at most: 900s, 15m, 12h or 30d",
};

export const oneOf = <const T extends string>(...values: T[]): Kind<T> => ({
  parse: (text) => values.find((value) => value === text),
  expects: values.join(" or "),
});

/** A list of what stands before and after commas; empty if it is not set. */
export const listOf = <T>(kind: Kind<T>): Kind<T[]> => ({
  parse: (text) => {
    const values = text.split(",").map((item) => kind.parse(item.trim()));
    return values.includes(undefined) ? undefined : (values as T[]);
  },
  expects: `${kind.expects}, or several with commas between them`,
});

/** In less, hardly a replica confirms anything, and all checks would fail. */
export const MIN_PARTITION_TOLERANCE_MS = 100;

/** How many of something in how long: `10/m`. */
export type Rate = { limit: number; windowSeconds: number };

/** The limits that can be set. */
export type Rates = Record<"login" | "account" | "register" | "refresh" | "logout", Rate>;

export const DEFAULT_RATES: Rates = {
  login: { limit: 10, windowSeconds: 60 },
  account: { limit: 5, windowSeconds: 60 },
  register: { limit: 60, windowSeconds: 3600 },
  refresh: { limit: 30, windowSeconds: 60 },
  logout: { limit: 30, windowSeconds: 60 },
};

export const rate: Kind<Rate> = {
  parse: (text) => {
    const [, amount, unit] = /^([1-9]\d{0,5})\/([smhd])$/.exec(text) ?? [];
    return amount && unit ? { limit: Number(amount), windowSeconds: UNIT_SECONDS[unit] ?? NaN } : undefined;
  },
  expects: "a number per second, minute, hour or day: 10/m",
};

/** Exactly what a browser sends as Origin. Neither * nor null: both would let everybody's page in, with credentials. */
export const webOrigin: Kind<string> = {
  parse: (text) =>
    /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text ? text : undefined,
  expects: "an origin such as https://app.example.com, without a path or *",
};

/** An address or network in front of us, or the names that Express knows for groups of them. */
export const network: Kind<string> = {
  parse: (text) => {
    const [address = "", bits, ...rest] = text.split("/");
    const max = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    const isNetwork =
      max > 0 && rest.length === 0 && (bits === undefined || whole(1, max).parse(bits) !== undefined);
    return isNetwork || /^(loopback|linklocal|uniquelocal)$/.test(text) ? text : undefined;
  },
  expects: "a network such as 10.0.0.0/8",
};

export const matching = (pattern: RegExp, expects: string): Kind<string> => ({
  parse: (text) => (pattern.test(text) ? text : undefined),
  expects,
});

/** Reads settings one by one and remembers what was wrong, so that every mistake is told at once. */
export function createSettings(env: NodeJS.ProcessEnv) {
  const problems: string[] = [];
  const text = (name: string) => (env[name] === "" ? undefined : env[name]);

  function read<T, D>(name: string, kind: Kind<T>, fallback: D): T | D {
    const given = text(name);
    if (given === undefined) return fallback;
    const value = kind.parse(given);
    if (value !== undefined) return value;
    problems.push(`${name}: read ${JSON.stringify(given.slice(0, 80))}, write ${kind.expects}`);
    return fallback;
  }

  /** For what takes more than its own text to judge. `found` never holds a secret's value. */
  const refuse = (name: string, found: string, write: string) =>
    void problems.push(`${name}: ${found}, write ${write}`);

  return { text, read, refuse, problems };
}

export type Settings = ReturnType<typeof createSettings>;
