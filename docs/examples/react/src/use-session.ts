import type { SignedOut } from "curfew/browser";
import { useEffect, useState } from "react";
import { client } from "./client";

/** Who is signed in, in step with the other tabs, and how the last session ended. Use it once, at the top. */
export function useSession() {
  const [user, setUser] = useState(client.user);
  const [ended, setEnded] = useState<SignedOut>();

  useEffect(() => {
    const look = () => setUser(client.user);
    const stop = client.onSignedOut((how) => (look(), setEnded(how)));
    // Another tab signed in, or Back shows this page as it was.
    for (const name of ["storage", "pageshow"]) addEventListener(name, look);
    return () => {
      stop();
      for (const name of ["storage", "pageshow"]) removeEventListener(name, look);
    };
  }, []);

  const enter = async (how: "login" | "register", email: string, password: string) => {
    setUser(await client[how](email, password));
    setEnded(undefined);
  };
  return { user, ended, enter, logOut: client.logout };
}
