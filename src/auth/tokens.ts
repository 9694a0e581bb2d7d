import { isString, type AccessToken, type AccessTokens } from "../tokens/access-tokens";
import type { ForeignToken, ForeignTokens } from "../issuers/foreign-tokens";

/** A verified token: one of ours, or one of an outside issuer that we trust. */
export type Token = AccessToken | ForeignToken;

export type Tokens = {
  /** Throws `token_invalid` unless the token is genuine, and `token_expired` if it is over, unless that is allowed. */
  verify(token: string, options?: { allowExpired: boolean }): Promise<Token>;
};

/** Who a token claims to be from decides whose keys it must hold against, and nothing else does. */
export const createTokens = (own: AccessTokens, foreign: ForeignTokens): Tokens => ({
  async verify(token, options) {
    const claimed = foreign.claimsToBeFrom(token);
    return claimed ? claimed.verify(options) : own.verify(token, options);
  },
});

/** Whose token it is: a user id of ours, or `<issuer name>:<subject>`. */
export const subjectOf = (token: Token) =>
  token.kind === "foreign" ? `${token.issuer}:${token.sub}` : token.sub;

/** Whom it is for. An outside issuer may not say, where it needn't. */
export function audienceOf(token: Token): string | string[] | undefined {
  const aud = token.kind === "foreign" ? token.claims["aud"] : token.aud;
  return isString(aud) || (Array.isArray(aud) && aud.every(isString)) ? aud : undefined;
}

/** An outside issuer's roles mean nothing here. */
export const rolesOf = (token: Token) => (token.kind === "foreign" ? [] : token.roles);
