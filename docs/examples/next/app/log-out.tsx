"use client";

import type { Failure } from "curfew/browser";
import { useState } from "react";
import { client } from "../lib/client";
import { useHydrated } from "../lib/use-hydrated";

/** Says that somebody is logged out only when it is so: until then the page and its cookies stay. */
export function LogOut() {
  const [failure, setFailure] = useState<Failure>();
  const isHydrated = useHydrated();

  const onClick = () => {
    setFailure(undefined);
    client().logout().catch(setFailure);
  };
  return (
    <>
      <button disabled={!isHydrated} onClick={onClick}>
        Log out
      </button>
      {failure && (
        <span role="alert">
          {failure.retry ? "You are still signed in. Please try again." : failure.message}
        </span>
      )}
    </>
  );
}
