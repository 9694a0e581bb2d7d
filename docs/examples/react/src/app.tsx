import type { SignedOut } from "curfew/browser";
import { useEffect, type MouseEvent } from "react";
import { Account } from "./account";
import { LogOut } from "./log-out";
import { SignIn } from "./sign-in";
import { usePath } from "./use-path";
import { useSession } from "./use-session";

export function App() {
  const { user, ended, enter, logOut } = useSession();
  const [path, go] = usePath();

  // In every tab, whoever ended the session.
  useEffect(() => {
    if (ended) go("/");
  }, [ended]);

  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    event.preventDefault();
    go(event.currentTarget.pathname);
  };
  return (
    <>
      <nav>
        <a href="/" onClick={follow}>
          Home
        </a>
        <a href="/account" onClick={follow}>
          Account
        </a>
        {user && <LogOut logOut={logOut} />}
      </nav>
      <main>
        {ended && !user && <p role="status">{goodbye(ended)}</p>}
        {path !== "/account" ? <h1>Home</h1> : user ? <Account user={user} /> : <SignIn enter={enter} />}
      </main>
    </>
  );
}

const REASONS: Record<string, string> = {
  logout: "You logged out in another tab.",
  session_ended: "You ended this session on another device.",
  password_changed: "Your password was changed on another device.",
  expired: "Your session expired.",
};

const goodbye = ({ reason, here }: SignedOut) =>
  here ? "You are logged out." : (REASONS[reason] ?? "Your session was ended.");
