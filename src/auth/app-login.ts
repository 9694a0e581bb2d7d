import { isDisabled, type Account, type Accounts } from "../accounts/accounts";
import type { Requester } from "../denylist/entry";
import { CurfewError } from "../errors";
import type { Sessions } from "../sessions/sessions";
import type { RefreshToken } from "../tokens/refresh-tokens";
import type { CreateGrant, Grant, Holder } from "./grant";

/** Somebody whom an app has logged in by itself. Without roles, they have their account's. */
export type LoggedIn = { id: string; roles?: string[] | undefined; email?: string | undefined };

export type AppLogin = {
  /** Opens a session without a password. Throws `invalid_credentials` if there is an account that may not log in. */
  readonly openSession: (user: LoggedIn, requester: Requester) => Promise<Grant>;
  /** With what a session was opened that has no account. */
  readonly holderOf: (token: RefreshToken) => Promise<Holder | undefined>;
};

export type AppLoginParts = {
  accounts: Accounts;
  /** Whether an app brings them. Then everybody has one. */
  areAccountsTheApps: boolean;
  sessions: Pick<Sessions, "endOfNew" | "open" | "openedAs" | "end">;
  grant: CreateGrant;
};

export function createAppLogin({ accounts, areAccountsTheApps, sessions, grant }: AppLoginParts): AppLogin {
  async function admit(id: string, mustHaveAccount: boolean): Promise<Account | undefined> {
    const account = await accounts.findById(id);
    if (account ? isDisabled(account) : mustHaveAccount)
      throw new CurfewError("invalid_credentials", { about: { sub: id } });
    return account;
  }

  return {
    openSession({ id, roles, email }, requester) {
      const endsAt = sessions.endOfNew();
      return grant(endsAt, async (accessExp) => {
        const account = await admit(id, areAccountsTheApps);
        if (!account) {
          const openedAs = { roles: roles ?? [], email: email ?? null };
          const opened = await sessions.open(id, requester, endsAt, accessExp, openedAs);
          return { ...opened, account: { id, ...openedAs } };
        }
        // Not `id`: a database may find the account by another spelling, under which no later change would find this.
        const opened = await sessions.open(account.id, requester, endsAt, accessExp);
        // A change of the account ends the sessions that it finds. This one was being opened meanwhile.
        const now = await admit(account.id, true).catch(async (error: unknown) => {
          await sessions.end(account.id, opened.refreshToken.sid, "revoked_by_ops", requester, {
            by: "curfew",
          });
          throw error;
        });
        return { ...opened, account: { ...(now ?? account), ...(roles && { roles }) } };
      });
    },

    async holderOf(token) {
      const openedAs = areAccountsTheApps ? undefined : await sessions.openedAs(token);
      return openedAs && { id: token.sub, ...openedAs };
    },
  };
}
