import type { ForeignToken } from "../issuers/foreign-tokens";
import { ttlMs } from "./entry";

/** Bounds of an issuer's tokens: how far ahead of our clock they may be issued, and how long they may live. */
export type Bounds = Pick<ForeignToken, "clockLeadSeconds" | "maxLifetimeSeconds">;

/**
 * What it takes to deny all tokens that a subject has so far. The issuer's clock may be ahead of ours by its lead, so a
 * token from a moment ago may say that it is issued a moment from now: the cut-off covers everything that could be
 * accepted now. `iat` is that of a token which must be covered too.
 */
export function cutOffNow(
  { clockLeadSeconds, maxLifetimeSeconds }: Bounds,
  clockToleranceSeconds: number,
  nowMs: number,
  iat = 0,
) {
  const now = nowMs / 1000;
  const cutoff = Math.max(Math.floor(now) + clockLeadSeconds, Math.ceil(iat));
  const latestExp = Math.max(now + clockLeadSeconds, cutoff) + maxLifetimeSeconds;
  return { cutoff, ttlMs: ttlMs(latestExp, clockToleranceSeconds, nowMs) };
}
