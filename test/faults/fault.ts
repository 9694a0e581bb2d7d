import type { Answers, Stage } from "./stage";

/** The statuses that are right while Redis is broken. The check is of a live token, the other of a revoked one. */
type Expected = Record<Exclude<keyof Answers, "healthz">, readonly number[]>;

/** One way in which Redis can fail, and what is promised for it. */
export type Fault = {
  name: string;
  what: string;
  breakIt(stage: Stage): unknown;
  /** Missing where it is over at once, or has to be got over while it lasts. */
  mendIt?(stage: Stage): unknown;
  expect: Expected;
  /** Ready, because checks are right, it has a warning for ops. */
  warns?: true;
  /** Redis itself says nothing of it: it is found out within a second. Until then checks are answered as before. */
  isFoundOut?: true;
};

export const ANSWERED = {
  check: [204],
  revokedCheck: [401],
  logout: [200],
  login: [200],
  refresh: [200],
  readyz: [200],
};
export const CHECKED = { ...ANSWERED, logout: [503], login: [503], refresh: [503] };
export const REFUSED = { ...CHECKED, check: [503], revokedCheck: [503], readyz: [503] };
/** Over before it can be told whom it met. */
export const MOMENTARY = {
  check: [204, 503],
  revokedCheck: [401, 503],
  logout: [200, 503],
  login: [200, 503],
  refresh: [200, 503],
  readyz: [200, 503],
};
