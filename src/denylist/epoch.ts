import { randomBytes } from "node:crypto";

export const epochKey = (prefix: string) => `${prefix}denylist:epoch`;

/**
 * Since when this denylist remembers: `<unix second>-<random>`. Tokens and sessions carry the epoch they were made in
 * and are refused in any other, so that nobody who logged out gets back in because Redis lost its memory.
 */
export const newEpoch = () => `${Math.floor(Date.now() / 1000)}-${randomBytes(9).toString("hex")}`;

export const isEpoch = (value: unknown): value is string =>
  typeof value === "string" && /^\d+-[A-Za-z0-9]+$/.test(value);
