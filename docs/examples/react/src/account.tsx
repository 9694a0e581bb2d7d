import type { User } from "curfew/browser";
import { useEffect, useState } from "react";
import { client } from "./client";

type Session = { id: string; current: boolean; user_agent: string };

/** Private: it is shown to who is signed in, and what it shows came with a token. */
export function Account({ user }: { user: User }) {
  const [sessions, setSessions] = useState<Session[]>();

  useEffect(() => {
    let isShown = true;
    const load = async () => {
      const response = await client.fetch("/api/auth/sessions");
      if (response.ok && isShown) setSessions((await response.json()).sessions);
    };
    // Whoever is offline stays signed in, and sees no list.
    load().catch(() => undefined);
    return () => {
      isShown = false;
    };
  }, []);

  return (
    <>
      <h1>Account</h1>
      <p>Signed in as {user.email}, on these devices:</p>
      <ul>
        {sessions?.map(({ id, current, user_agent: device }) => (
          <li key={id}>
            {device} {current && "(this one)"}
          </li>
        ))}
      </ul>
    </>
  );
}
