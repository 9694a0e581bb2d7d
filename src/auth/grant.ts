import type { OpenedAs } from "../sessions/records";
import type { Opened } from "../sessions/sessions";
import type { AccessTokens } from "../tokens/access-tokens";
import type { RefreshTokens } from "../tokens/refresh-tokens";

/** Whose session it is: an account's owner or, in an app that brings no accounts, whoever the app says. */
export type Holder = { id: string } & OpenedAs;

/** What a client gets at login and at every refresh. */
export type Grant<H extends Holder = Holder> = {
  sid: string;
  accessToken: string;
  expiresInSeconds: number;
  refreshToken: string;
  refreshExpiresInSeconds: number;
  account: H;
};

export type CreateGrant = <H extends Holder>(
  endsAt: number,
  carryOn: (accessExp: number) => Promise<Opened & { account: H }>,
) => Promise<Grant<H>>;

/**
 * Fixes the access token's times before `carryOn` stores them in the session, so that ending the session covers the
 * token.
 */
export const createGranting =
  (accessTokens: AccessTokens, refreshTokens: RefreshTokens): CreateGrant =>
  async (endsAt, carryOn) => {
    const { iat, exp } = accessTokens.lifetime(endsAt);
    const { refreshToken, epoch, account } = await carryOn(exp);
    const { sub, sid } = refreshToken;
    return {
      sid,
      accessToken: accessTokens.mint({ sub, sid, iat, exp, roles: account.roles, epoch }),
      expiresInSeconds: exp - iat,
      refreshToken: refreshTokens.mint(refreshToken),
      refreshExpiresInSeconds: refreshToken.exp - iat,
      account,
    };
  };
