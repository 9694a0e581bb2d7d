import type { Failure } from "curfew/browser";
import { useState } from "react";

/** Says that somebody is logged out only when it is so: until then the page and its token stay. */
export function LogOut({ logOut }: { logOut: () => Promise<void> }) {
  const [failure, setFailure] = useState<Failure>();

  const onClick = () => {
    setFailure(undefined);
    logOut().catch(setFailure);
  };
  return (
    <>
      <button onClick={onClick}>Log out</button>
      {failure && (
        <span role="alert">
          {failure.retry ? "You are still signed in. Please try again." : failure.message}
        </span>
      )}
    </>
  );
}
