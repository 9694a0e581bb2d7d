import { normaliseEmail, type Account, type Accounts } from "../accounts/accounts";
import type { Denylist } from "../denylist/denylist";
import { NOBODY, type Requester } from "../denylist/entry";
import type { Grounds } from "../denylist/revoker";
import { attempt, CurfewError } from "../errors";
import type { Passwords } from "../accounts/passwords";
import type { Opened, Session, Sessions } from "../sessions/sessions";
import type { AccessToken, AccessTokens } from "../tokens/access-tokens";
import type { RefreshToken } from "../tokens/refresh-tokens";
import { createLogout, type Logout, type LogoutParts } from "./logout";
import type { Token } from "./tokens";

/** What a client gets at login and at every refresh. */
export type Grant = {
  sid: string;
  accessToken: string;
  expiresInSeconds: number;
  refreshToken: string;
  refreshExpiresInSeconds: number;
  account: Account;
};

type RefreshRequest = {
  /** Verified. */
  token: RefreshToken;
  /** The access token sent along, if any. If it is genuine, it must belong to the same session. */
  beside: string | undefined;
  /** Don't exchange a generation within its grace: for clients that share one, such as tabs with their cookies. */
  keepYoung: boolean;
};

type PasswordChange = {
  current: string;
  next: string;
  /** Rejects if nobody may try this account's password now. Called only after the input has been validated. */
  assertMayTry: (account: Account) => Promise<void>;
};

export type Auth = Logout & {
  register(email: string, password: string, requester: Requester): Promise<Grant>;
  login(email: string, password: string, requester: Requester): Promise<Grant>;
  refresh(request: RefreshRequest, requester: Requester): Promise<Grant>;
  /** Returns the claims of a live access or refresh token; otherwise throws what the guard or a refresh would. */
  introspect(token: string): Promise<Token | RefreshToken>;
  changePassword(caller: AccessToken, change: PasswordChange, requester: Requester): Promise<Grant>;
  sessions(caller: AccessToken): Promise<Session[]>;
  endSession(caller: AccessToken, sid: string, requester: Requester): Promise<void>;
  endOtherSessions(caller: AccessToken, requester: Requester): Promise<void>;
  /** Ends all of a user's sessions on somebody else's behalf. */
  endAllOf(user: string, grounds: Grounds): Promise<void>;
  account(caller: AccessToken): Promise<Account>;
};

export type AuthParts = LogoutParts & {
  accounts: Accounts;
  passwords: Passwords;
  sessions: Sessions;
  /** `accessTokens` mints Curfew's own; `tokens` verifies own and foreign ones. */
  accessTokens: AccessTokens;
  denylist: Pick<Denylist, "assertNotRevoked">;
};

export function createAuth(parts: AuthParts): Auth {
  const { accounts, passwords, sessions, denylist, accessTokens, tokens, refreshTokens } = parts;

  function assertAcceptable(password: string, email: string, path: string): void {
    const objection = passwords.objection(password, email);
    if (objection) throw invalid(path, objection);
  }

  /**
   * Fixes the access token's times before `carryOn` stores them in the session, so that ending the session covers the
   * token.
   */
  async function grant(
    account: Account,
    endsAt: number,
    carryOn: (accessExp: number) => Promise<Opened>,
  ): Promise<Grant> {
    const { iat, exp } = accessTokens.lifetime(endsAt);
    const { refreshToken, epoch } = await carryOn(exp);
    const { sub, sid } = refreshToken;
    return {
      sid,
      accessToken: accessTokens.mint({ sub, sid, iat, exp, roles: account.roles, epoch }),
      expiresInSeconds: exp - iat,
      refreshToken: refreshTokens.mint(refreshToken),
      refreshExpiresInSeconds: refreshToken.exp - iat,
      account,
    };
  }

  function open(account: Account, requester: Requester): Promise<Grant> {
    const endsAt = sessions.endOfNew();
    return grant(account, endsAt, (accessExp) => sessions.open(account.id, requester, endsAt, accessExp));
  }

  /**
   * A password change ends the sessions that it finds. A login whose session was being opened meanwhile has to check by
   * itself.
   */
  async function isStillRight({ id, passwordHash }: Account, password: string): Promise<boolean> {
    const now = await accounts.findById(id);
    if (!now) return false;
    return now.passwordHash === passwordHash || passwords.verify(now.passwordHash, password);
  }

  /** The login has succeeded already, so an overloaded queue or an unavailable Redis must not fail it. */
  async function rehashIfOutdated({ id, passwordHash }: Account, password: string): Promise<void> {
    if (!passwords.isOutdated(passwordHash)) return;
    try {
      await accounts.replacePasswordHash(id, passwordHash, await passwords.hash(password));
    } catch (error) {
      if (!(error instanceof CurfewError) || error.code === "internal") throw error;
    }
  }

  const verifyOnceAlive = (token: string) => accessTokens.verify(token, { allowExpired: true });

  async function accountOf(caller: AccessToken): Promise<Account> {
    const account = await accounts.findById(caller.sub);
    if (!account) throw new CurfewError("token_revoked", { about: { sub: caller.sub } });
    return account;
  }

  return {
    ...createLogout(parts),

    async register(address, password, requester) {
      const email = normaliseEmail(address);
      if (!email) throw invalid("email", "must be an e-mail address");
      assertAcceptable(password, email, "password");
      return open(await accounts.create(email, await passwords.hash(password)), requester);
    },

    async login(address, password, requester) {
      const email = normaliseEmail(address);
      const account = email ? await accounts.findByEmail(email) : undefined;
      const matches = await passwords.verify(account?.passwordHash, password);
      if (!account || !matches) throw wrongCredentials(account);
      const granted = await open(account, requester);
      if (!(await isStillRight(account, password))) {
        await sessions.end(account.id, granted.sid, "password_changed", requester);
        throw wrongCredentials(account);
      }
      await rehashIfOutdated(account, password);
      return granted;
    },

    async refresh({ token, beside, keepYoung }, requester) {
      const access = beside === undefined ? undefined : attempt(() => verifyOnceAlive(beside));
      if (access && access.sid !== token.sid) throw new CurfewError("refresh_token_invalid");
      const account = await accounts.findById(token.sub);
      if (!account) throw new CurfewError("refresh_token_invalid");
      return grant(account, token.endsAt, (accessExp) =>
        sessions.rotate(token, requester, { accessExp, keepYoung }),
      );
    },

    async introspect(text) {
      const refreshToken = attempt(() => refreshTokens.verify(text));
      if (refreshToken) {
        if (!(await sessions.isLive(refreshToken))) throw new CurfewError("refresh_token_invalid");
        return refreshToken;
      }
      const token = await tokens.verify(text);
      await denylist.assertNotRevoked(token);
      return token;
    },

    async changePassword(caller, { current, next, assertMayTry }, requester) {
      const account = await accountOf(caller);
      const { id, passwordHash } = account;
      assertAcceptable(next, account.email, "new_password");
      if (passwords.isTooLong(current)) throw invalid("current_password", "is longer than any password");
      await assertMayTry(account);
      // The new password counts as right too: an earlier attempt may have failed between the two steps below, and this
      // one completes it.
      const isRight =
        (await passwords.verify(passwordHash, current)) || (await passwords.verify(passwordHash, next));
      if (!isRight) throw wrongCredentials(account);
      const nextHash = await passwords.hash(next);
      if (!(await accounts.replacePasswordHash(id, passwordHash, nextHash))) throw wrongCredentials(account);
      await sessions.endAll(id, "password_changed", requester);
      return open({ ...account, passwordHash: nextHash }, requester);
    },

    sessions: (caller) => sessions.list(caller.sub),

    async endSession(caller, sid, requester) {
      if (!(await sessions.end(caller.sub, sid, "session_ended", requester)))
        throw new CurfewError("not_found");
    },

    endOtherSessions: (caller, requester) =>
      sessions.endAll(caller.sub, "session_ended", requester, { except: caller.sid }),

    endAllOf: (user, { reason, ...said }) => sessions.endAll(user, reason, NOBODY, said),

    account: accountOf,
  };
}

/** Only the log learns whose account it was. The client isn't told whether the account exists. */
const wrongCredentials = (account: Account | undefined) =>
  new CurfewError("invalid_credentials", { about: { sub: account?.id ?? "unknown" } });

const invalid = (path: string, message: string) =>
  new CurfewError("invalid_request", { details: [{ path, message }] });
