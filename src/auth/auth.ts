import { isDisabled, normaliseEmail, type Account, type Accounts } from "../accounts/accounts";
import type { Denylist } from "../denylist/denylist";
import { NOBODY, type Grounds, type Requester } from "../denylist/entry";
import { attempt, CurfewError } from "../errors";
import { isOurHash, type Passwords } from "../accounts/passwords";
import type { Session } from "../sessions/records";
import type { Sessions } from "../sessions/sessions";
import type { AccessToken, AccessTokens } from "../tokens/access-tokens";
import type { RefreshToken } from "../tokens/refresh-tokens";
import { createAppLogin, type AppLogin } from "./app-login";
import { createGranting, type Grant } from "./grant";
import { createLogout, type Logout, type LogoutParts } from "./logout";
import type { Token } from "./tokens";

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

export type Auth = Logout &
  Pick<AppLogin, "openSession"> & {
    register(email: string, password: string, requester: Requester): Promise<Grant<Account>>;
    login(email: string, password: string, requester: Requester): Promise<Grant<Account>>;
    refresh(request: RefreshRequest, requester: Requester): Promise<Grant>;
    /** Returns the claims of a live access or refresh token; otherwise throws what the guard or a refresh would. */
    introspect(token: string): Promise<Token | RefreshToken>;
    changePassword(
      caller: AccessToken,
      change: PasswordChange,
      requester: Requester,
    ): Promise<Grant<Account>>;
    sessions(caller: AccessToken): Promise<Session[]>;
    endSession(caller: AccessToken, sid: string, requester: Requester): Promise<void>;
    endOtherSessions(caller: AccessToken, requester: Requester): Promise<void>;
    /** Ends all of a user's sessions on somebody else's behalf. */
    endAllOf(user: string, grounds: Grounds): Promise<void>;
    account(caller: AccessToken): Promise<Account>;
  };

export type AuthParts = LogoutParts & {
  accounts: Accounts;
  areAccountsTheApps: boolean;
  passwords: Passwords;
  sessions: Sessions;
  /** `accessTokens` mints Curfew's own; `tokens` verifies own and foreign ones. */
  accessTokens: AccessTokens;
  denylist: Pick<Denylist, "assertNotRevoked" | "whyRevoked">;
};

export function createAuth(parts: AuthParts): Auth {
  const { accounts, passwords, sessions, denylist, accessTokens, tokens, refreshTokens } = parts;
  const grant = createGranting(accessTokens, refreshTokens);
  const { openSession, holderOf } = createAppLogin({ ...parts, grant });

  function assertAcceptable(password: string, email: string, path: string): void {
    const objection = passwords.objection(password, email);
    if (objection) throw invalid(path, objection);
  }

  /**
   * Opens a session for whoever knows this account's password. A change of the account (its password or roles, that it
   * is disabled or deleted) ends the sessions that it finds. One that was being opened meanwhile is checked here: the
   * account is read again once the session is open, and what is read then counts, its roles too.
   */
  function open(account: Account, password: string, requester: Requester): Promise<Grant<Account>> {
    const endsAt = sessions.endOfNew();
    return grant(endsAt, async (accessExp) => {
      const opened = await sessions.open(account.id, requester, endsAt, accessExp);
      const now = await accounts.findById(account.id);
      if (now && (await isStillRight(now, account, password))) return { ...opened, account: now };
      const reason = now && !isDisabled(now) ? "password_changed" : "revoked_by_ops";
      await sessions.end(account.id, opened.refreshToken.sid, reason, requester, { by: "curfew" });
      throw wrongCredentials(account);
    });
  }

  async function isStillRight(now: Account, { passwordHash }: Account, password: string): Promise<boolean> {
    if (isDisabled(now)) return false;
    return now.passwordHash === passwordHash || isRight(now, password);
  }

  /** Only the app can verify hashes of its own. */
  function isRight(account: Account | undefined, password: string): Promise<boolean> {
    const hash = account?.passwordHash ?? undefined;
    if (!account || hash === undefined || isOurHash(hash)) return passwords.verify(hash, password);
    return passwords.verifyBy(() => accounts.verifyPassword?.(account, password) ?? false, password);
  }

  /** The login has succeeded already, so an overloaded queue or an unavailable Redis must not fail it. */
  async function rehashIfOutdated({ id, passwordHash }: Account, password: string): Promise<void> {
    if (passwordHash === null || !passwords.isOutdated(passwordHash)) return;
    try {
      await accounts.replacePasswordHash(id, passwordHash, await passwords.hash(password));
    } catch (error) {
      if (!(error instanceof CurfewError) || error.code === "internal") throw error;
    }
  }

  const verifyOnceAlive = (token: string) => accessTokens.verify(token, { allowExpired: true });

  async function accountOf(caller: AccessToken): Promise<Account> {
    const account = await accounts.findById(caller.sub);
    if (!account || isDisabled(account))
      throw new CurfewError("token_revoked", { about: { sub: caller.sub } });
    return account;
  }

  return {
    ...createLogout(parts),
    openSession,

    async register(address, password, requester) {
      const email = normaliseEmail(address);
      if (!email) throw invalid("email", "must be an e-mail address");
      assertAcceptable(password, email, "password");
      const account = await accounts.create(email, await passwords.hash(password));
      return open(account, password, requester).catch(async (error: unknown) => {
        if (await accounts.findById(account.id)) throw error;
        throw accountLost();
      });
    },

    async login(address, password, requester) {
      const email = normaliseEmail(address);
      const account = email ? await accounts.findByEmail(email) : undefined;
      const matches = await isRight(account, password);
      // Only here, so that a disabled account takes as long to refuse as a wrong password.
      if (!account || !matches || isDisabled(account)) throw wrongCredentials(account);
      const granted = await open(account, password, requester);
      await rehashIfOutdated(account, password);
      return granted;
    },

    async refresh({ token, beside, keepYoung }, requester) {
      const access = beside === undefined ? undefined : attempt(() => verifyOnceAlive(beside));
      if (access && access.sid !== token.sid) throw new CurfewError("refresh_token_invalid");
      const kept = await accounts.findById(token.sub);
      const account = kept ?? (await holderOf(token));
      if (!account || (kept && isDisabled(kept)))
        throw new CurfewError("refresh_token_invalid", { why: await sessions.whyOver(token) });
      // A change of the account after it was read ends the session: before the rotation, which is then refused, or
      // after it, and then the entry covers the new token with the old roles, too.
      return grant(token.endsAt, async (accessExp) => ({
        ...(await sessions.rotate(token, requester, { accessExp, keepYoung })),
        account,
      }));
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
      const mayChange = (await isRight(account, current)) || (await isRight(account, next));
      if (!mayChange || passwordHash === null) throw wrongCredentials(account);
      const nextHash = await passwords.hash(next);
      if (!(await accounts.replacePasswordHash(id, passwordHash, nextHash))) throw wrongCredentials(account);
      await sessions.endAll(id, "password_changed", requester);
      return open({ ...account, passwordHash: nextHash }, next, requester);
    },

    sessions: (caller) => sessions.list(caller.sub),

    async endSession(caller, sid, requester) {
      if (!(await sessions.end(caller.sub, sid, "session_ended", requester)))
        throw new CurfewError("not_found");
    },

    endOtherSessions: (caller, requester) =>
      sessions.endAll(caller.sub, "session_ended", requester, { except: caller.sid }),

    endAllOf: (user, { reason, requester = NOBODY, ...said }) =>
      sessions.endAll(user, reason, requester, said),

    account: accountOf,
  };
}

/** An account that was made a moment ago and isn't there any more was lost with all else. Its owner can try again. */
const accountLost = () =>
  new CurfewError("denylist_unavailable", { cause: new Error("Redis lost the account that it just took") });

/** Only the log learns whose account it was. The client isn't told whether the account exists. */
const wrongCredentials = (account: Account | undefined) =>
  new CurfewError("invalid_credentials", { about: { sub: account?.id ?? "unknown" } });

const invalid = (path: string, message: string) =>
  new CurfewError("invalid_request", { details: [{ path, message }] });
