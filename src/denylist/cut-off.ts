import type { ForeignToken } from "../issuers/foreign-tokens";
import { ttlMs } from "./entry";

/** What an outside issuer's tokens may be: how far ahead of our clock they are issued, and how long they live. */
export type Bounds = Pick<ForeignToken, "clockLeadSeconds" | "maxLifetimeSeconds">;

/**
 * What denying all of a subject's tokens so far takes. The issuer's clock may be ahead of ours by its lead, so that a token
 * of a moment ago says that it was issued in a moment: all that could be accepted now is covered. `iat`: of a token that is
 * to be among them.
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
