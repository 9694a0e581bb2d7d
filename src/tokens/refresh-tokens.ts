import { createHmac, timingSafeEqual } from "node:crypto";
import { CurfewError } from "../errors";
import { decodeJson, encodeJson, isCanonicalBase64url } from "./base64url";
import type { KeyRing } from "../keys/key-ring";
import type { SigningKey } from "../keys/keys";

/** What a refresh token names: one generation of a session, which ends for good at `endsAt`. Times are Unix seconds. */
export type RefreshToken = { sub: string; sid: string; generation: number; exp: number; endsAt: number };

export type RefreshTokens = {
  mint(token: RefreshToken): string;
  /** Throws `refresh_token_invalid` if the token is forged or past its lifetime. Whether its session lives, Redis knows. */
  verify(token: string): RefreshToken;
};

const MAX_BYTES = 1024;

/**
 * `<payload>.<HMAC-SHA256>`. Authenticated, so that forged is told from long over without asking Redis; and Redis
 * keeps no more than the current generation's number, so that whoever reads Redis can't refresh anything.
 */
export function createRefreshTokens(keys: KeyRing): RefreshTokens {
  const macOf = (payload: string, { refreshKey }: SigningKey) =>
    createHmac("sha256", refreshKey).update(payload).digest();

  return {
    mint(token) {
      const payload = encodeJson({ kid: keys.signing.kid, ...token });
      return `${payload}.${macOf(payload, keys.signing).toString("base64url")}`;
    },

    verify(token) {
      const [payload = "", mac = "", ...rest] = token.split(".");
      const claims = token.length <= MAX_BYTES && rest.length === 0 ? decodeJson(payload) : undefined;
      const claimedKey = keys.find(claims?.["kid"]);
      if (!claims || !claimedKey || !isMac(mac, macOf(payload, claimedKey))) {
        throw new CurfewError("refresh_token_invalid");
      }
      // Only mint() makes a MAC that holds, so that the rest of the payload is what it wrote.
      const { sub, sid, generation, exp, endsAt } = claims as RefreshToken;
      if (Date.now() / 1000 >= exp) throw new CurfewError("refresh_token_invalid");
      return { sub, sid, generation, exp, endsAt };
    },
  };
}

function isMac(text: string, mac: Buffer): boolean {
  const given = Buffer.from(text, "base64url");
  return isCanonicalBase64url(text) && given.length === mac.length && timingSafeEqual(given, mac);
}
