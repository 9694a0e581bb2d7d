import { subjectOf } from "../denylist/entry";
import { isString, type AccessToken, type AccessTokens } from "../tokens/access-tokens";
import type { ForeignToken, ForeignTokens } from "../issuers/foreign-tokens";

/** A verified token: one of Curfew's own, or one of a trusted issuer's. */
export type Token = AccessToken | ForeignToken;

/**
 * Whether a check has ended with a token, rather than with a promise of one. It asks what it has, not whether it is a
 * Promise: an app may have put another class in its place.
 */
export const isToken = (checked: Token | Promise<Token>): checked is Token => "kind" in checked;

/** What an app learns of a verified token. `subject` says whose it is: a user's id, or `<issuer name>:<sub>`. */
export type Claims = Token & { subject: string };

/** Adds the subject to the token itself, which is the caller's own copy. */
export function claimsOf(token: Token): Claims {
  const claims: Token & { subject?: string } = token;
  claims.subject = subjectOf(token);
  return claims as Claims;
}

export type Tokens = {
  /**
   * Throws `token_invalid` unless the token is genuine, and `token_expired` if it has expired and that isn't allowed.
   */
  verify(token: string, options?: { allowExpired: boolean }): Promise<Token>;
  /** Returns at once what `verify` would return for one of our own that was verified lately; undefined for any other. */
  recall(token: string): Token | undefined;
};

/** The issuer that a token names decides which keys it is verified with. Nothing else in the token does. */
export const createTokens = (own: AccessTokens, foreign: ForeignTokens): Tokens => ({
  async verify(token, options) {
    const claimed = own.remembers(token) ? undefined : foreign.claimsToBeFrom(token);
    return claimed ? claimed.verify(options) : own.verify(token, options);
  },
  recall: (token) => own.recall(token),
});

/** The token's audience. A foreign token may have none, if its issuer is configured so. */
export function audienceOf(token: Token): string | string[] | undefined {
  const aud = token.kind === "foreign" ? token.claims["aud"] : token.aud;
  return isString(aud) || (Array.isArray(aud) && aud.every(isString)) ? aud : undefined;
}

/** Foreign tokens have no roles here, whatever they claim. */
export const rolesOf = (token: Token) => (token.kind === "foreign" ? [] : token.roles);
