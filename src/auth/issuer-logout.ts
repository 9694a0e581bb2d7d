import type { Requester } from "../denylist/entry";
import type { LogoutAtIssuer } from "../denylist/logout-at-issuer";
import { CurfewError } from "../errors";
import type { LogoutToken, LogoutTokens } from "../issuers/logout-tokens";

/** What an issuer ended, with the names that the log uses. */
type EndedAtIssuer = { issuer: string; sub?: string; sid?: string };

/** OpenID Connect Back-Channel Logout 1.0: an issuer says that somebody logged out there. */
export type IssuerLogout = {
  /**
   * Resolves only when Redis has acknowledged that what the logout token names is refused. Throws `invalid_request` for
   * a logout token that isn't good or was taken before; the error has a `rule` only if its signature is good.
   */
  end(logoutToken: string, requester: Requester): Promise<EndedAtIssuer>;
};

export function createIssuerLogout(logoutTokens: LogoutTokens, logoutAtIssuer: LogoutAtIssuer): IssuerLogout {
  return {
    async end(text, requester) {
      const token = await logoutTokens.verify(text).catch(asInvalidRequest);
      if (!(await logoutAtIssuer.end(token, requester))) throw notGood("jti");
      return namesOf(token);
    },
  };
}

function asInvalidRequest(error: unknown): never {
  throw error instanceof CurfewError && error.code === "token_invalid" ? notGood(error.rule) : error;
}

const notGood = (rule: string | undefined) =>
  new CurfewError("invalid_request", {
    details: [{ path: "logout_token", message: "is not valid here, or was sent before" }],
    ...(rule !== undefined && { rule }),
  });

const namesOf = ({ issuer, sub, sid }: LogoutToken): EndedAtIssuer => ({
  issuer: issuer.name,
  ...(sub && { sub: `${issuer.name}:${sub.id}` }),
  ...(sid && { sid: sid.id }),
});
