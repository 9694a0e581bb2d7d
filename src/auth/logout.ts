import type { Denylist } from "../denylist/denylist";
import type { ForeignSessions } from "../denylist/foreign-sessions";
import { subjectOf, type Requester } from "../denylist/entry";
import { attempt, CurfewError } from "../errors";
import type { Sessions } from "../sessions/sessions";
import { isExpired } from "../tokens/access-tokens";
import type { RefreshToken, RefreshTokens } from "../tokens/refresh-tokens";
import type { Token, Tokens } from "./tokens";

/** A token as it arrived, not yet verified. A cookie may have been planted by a sibling domain. */
type Presented = { token: string; transport: "bearer" | "cookie" };

type LogoutRequest = { access: Presented | undefined; refresh: Presented | undefined; allDevices: boolean };

/** Verified credentials whose session ends, or all sessions of their user. */
type ToEnd = {
  accessToken: Token | undefined;
  refreshToken: RefreshToken | undefined;
  allDevices?: boolean;
};

/** Whose token or session was ended, with the names that the log uses. */
type LoggedOut = { sub: string; sid?: string; jti?: string };

export type Logout = {
  /** Resolves only when Redis has acknowledged every write: from then on the token is refused. Returns whose it was. */
  logout(request: LogoutRequest, requester: Requester): Promise<LoggedOut>;
  /**
   * Ends what an access or refresh token names, on behalf of a client, as reliably as a logout. Throws `token_invalid`
   * if the token isn't genuine, because then there is nothing to end.
   */
  revoke(token: string, client: string, requester: Requester): Promise<LoggedOut>;
};

export type LogoutParts = {
  sessions: Pick<Sessions, "logout" | "whyOver">;
  denylist: Pick<Denylist, "whyRevoked">;
  foreignSessions: ForeignSessions;
  tokens: Tokens;
  refreshTokens: RefreshTokens;
  clockToleranceSeconds: number;
};

export function createLogout(parts: LogoutParts): Logout {
  const { sessions, denylist, foreignSessions, tokens, refreshTokens, clockToleranceSeconds } = parts;

  /**
   * Beside a good access token, a refresh cookie counts only if it is of the same session. Otherwise a planted cookie
   * could make a logout fail.
   */
  function readRefreshBeside(
    { token, transport }: Presented,
    access: Token | undefined,
  ): RefreshToken | undefined {
    if (!access || transport === "bearer") return refreshTokens.verify(token);
    const refresh = attempt(() => refreshTokens.verify(token));
    return refresh?.sid === access.sid ? refresh : undefined;
  }

  /** Resolves to false if `allDevices` was asked for with credentials that are no longer alive. */
  function end(
    { accessToken, refreshToken, allDevices = false }: ToEnd,
    requester: Requester,
    client?: string,
  ): Promise<boolean> {
    return accessToken?.kind === "foreign"
      ? foreignSessions.logout({ accessToken, allDevices }, requester, client)
      : sessions.logout({ accessToken, refreshToken, allDevices }, requester, client);
  }

  return {
    async logout({ access, refresh, allDevices }, requester) {
      const token = access && (await tokens.verify(access.token, { allowExpired: true }));
      const refreshToken = refresh && readRefreshBeside(refresh, token);
      if (token && refreshToken && subjectOf(token) !== refreshToken.sub) {
        throw new CurfewError("refresh_token_invalid");
      }
      if (!token && !refreshToken) throw new CurfewError("token_missing");
      const names = namesOf(token, refreshToken);
      if (await end({ accessToken: token, refreshToken, allDevices }, requester)) return names;
      if (!token)
        throw new CurfewError("refresh_token_invalid", {
          about: names,
          ...(refreshToken && { why: await sessions.whyOver(refreshToken) }),
        });
      if (isExpired(token.exp, clockToleranceSeconds)) throw new CurfewError("token_expired");
      throw new CurfewError("token_revoked", { why: await denylist.whyRevoked(token) });
    },

    async revoke(text, client, requester) {
      const refreshToken = attempt(() => refreshTokens.verify(text));
      const token = refreshToken ? undefined : await tokens.verify(text, { allowExpired: true });
      await end({ accessToken: token, refreshToken }, requester, client);
      return namesOf(token, refreshToken);
    },
  };
}

function namesOf(token: Token | undefined, refreshToken: RefreshToken | undefined): LoggedOut {
  const sid = token?.sid ?? refreshToken?.sid;
  return {
    sub: token ? subjectOf(token) : (refreshToken?.sub ?? ""),
    ...(sid !== undefined && { sid }),
    ...(token && { jti: token.jti }),
  };
}
