import { assertThat, isExpired, isString } from "../tokens/access-tokens";
import { isObject } from "../tokens/json";
import { isForOneOf, isTime, LOGOUT_TOKEN_TYPE, mediaType, readId } from "./foreign-claims";
import { keyIdOf } from "./foreign-ids";
import { split, type Signatures } from "./signatures";
import type { TrustedIssuer } from "./trusted-issuer";

/** What a logout token says, verified (OpenID Connect Back-Channel Logout 1.0 §2.4). It names one of the two, or both. */
export type LogoutToken = {
  issuer: TrustedIssuer;
  /** How its `jti` appears in keys. */
  keyId: string;
  /** Until when it could be sent again, in Unix seconds. */
  goodUntil: number;
  sub: { id: string; keyId: string } | undefined;
  sid: { id: string; keyId: string } | undefined;
};

export type LogoutTokens = {
  /**
   * Throws `token_invalid` unless a trusted issuer said just now, and to us, that somebody logged out; the error has a
   * `rule` only if the signature is good. Throws `issuer_unavailable` while the issuer's keys can't be fetched.
   */
  verify(token: string): Promise<LogoutToken>;
};

const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";
const MAX_AGE_SECONDS = 300;

export const isLogoutEvent = (events: unknown): boolean => isObject(events) && isObject(events[LOGOUT_EVENT]);

export function createLogoutTokens(signatures: Signatures, clockToleranceSeconds: number): LogoutTokens {
  /** Returns until when it could be sent again. */
  function readAge({ clockLeadSeconds }: TrustedIssuer, { iat, exp }: Record<string, unknown>): number {
    const now = Date.now() / 1000;
    assertThat(isTime(iat) && iat <= now + clockLeadSeconds, "iat");
    const goodUntil = iat + MAX_AGE_SECONDS + clockToleranceSeconds;
    assertThat(now <= goodUntil, "iat");
    // Earlier drafts, and providers that follow them, have no exp.
    assertThat(exp === undefined || (isTime(exp) && !isExpired(exp, clockToleranceSeconds)), "exp");
    return goodUntil;
  }

  return {
    async verify(token) {
      const parts = split(token);
      assertThat(parts !== undefined);
      const issuer = signatures.findIssuer(parts);
      assertThat(issuer !== undefined);
      const { header, claims } = await signatures.readGenuine(issuer, token, parts);
      assertThat(isLogoutType(header["typ"]), "typ");
      assertThat(isForOneOf(issuer.logoutAudience, claims["aud"]), "aud");
      assertThat(isLogoutEvent(claims["events"]), "events");
      // §2.4: so that it can't be used as an ID token.
      assertThat(!Object.hasOwn(claims, "nonce"), "nonce");
      const goodUntil = readAge(issuer, claims);
      const jti = readId(claims, "jti");
      assertThat(jti !== undefined, "jti");
      const [sub, sid] = [readId(claims, "sub"), readId(claims, "sid")];
      assertThat(sub !== undefined || sid !== undefined, "sub");
      return { issuer, keyId: keyIdOf(jti), goodUntil, sub: named(sub), sid: named(sid) };
    },
  };
}

const isLogoutType = (typ: unknown) =>
  typ === undefined || (isString(typ) && [LOGOUT_TOKEN_TYPE, "jwt"].includes(mediaType(typ)));

const named = (id: string | undefined) => (id === undefined ? undefined : { id, keyId: keyIdOf(id) });
