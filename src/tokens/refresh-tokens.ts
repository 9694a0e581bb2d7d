import { createHmac, timingSafeEqual } from "node:crypto";
import { CurfewError } from "../errors";
import { decodeJson, encodeJson, isCanonicalBase64url } from "./base64url";
import type { KeyRing } from "../keys/key-ring";
import type { SigningKey } from "../keys/keys";

/**
 * A refresh token names one generation of a session. The session ends at `endsAt` at the latest. Times are Unix
 * seconds.
 */
export type RefreshToken = { sub: string; sid: string; generation: number; exp: number; endsAt: number };

export type RefreshTokens = {
  mint(token: RefreshToken): string;
  /**
   * Throws `refresh_token_invalid` if the token is forged, or expired unless that is allowed. It doesn't check whether
   * the session is alive.
   */
  verify(token: string, options?: { allowExpired?: boolean }): RefreshToken;
};

const MAX_BYTES = 1024;

/**
 * `<payload>.<HMAC-SHA256>`. Authenticated, so that a forged token can be told from an old one without asking Redis.
 * Redis keeps only the number of the current generation, so nobody who can read Redis can refresh a session.
 */
export function createRefreshTokens(keys: KeyRing): RefreshTokens {
  const macOf = (payload: string, { refreshKey }: SigningKey) =>
    createHmac("sha256", refreshKey).update(payload).digest();

  return {
    mint(token) {
      const payload = encodeJson({ kid: keys.signing.kid, ...token });
      return `${payload}.${macOf(payload, keys.signing).toString("base64url")}`;
    },

    verify(token, { allowExpired = false } = {}) {
      const [payload = "", mac = "", ...rest] = token.split(".");
      const claims = token.length <= MAX_BYTES && rest.length === 0 ? decodeJson(payload) : undefined;
      const claimedKey = keys.find(claims?.["kid"]);
      if (!claims || !claimedKey || !isMac(mac, macOf(payload, claimedKey))) {
        throw new CurfewError("refresh_token_invalid");
      }
      // Only mint() can make a valid MAC, so the payload is as mint() wrote it.
      const { sub, sid, generation, exp, endsAt } = claims as RefreshToken;
      if (!allowExpired && isOver(exp)) throw new CurfewError("refresh_token_invalid");
      return { sub, sid, generation, exp, endsAt };
    },
  };
}

/** Whether a token with this `exp` has expired. */
export const isOver = (exp: number) => Date.now() / 1000 >= exp;

function isMac(text: string, mac: Buffer): boolean {
  const given = Buffer.from(text, "base64url");
  return isCanonicalBase64url(text) && given.length === mac.length && timingSafeEqual(given, mac);
}
