"use client";

import type { Failure } from "curfew/browser";
import { useState, type FormEvent } from "react";
import { client } from "../../lib/client";
import { useHydrated } from "../../lib/use-hydrated";

export default function SignIn() {
  const [failure, setFailure] = useState<Failure>();
  const isHydrated = useHydrated();

  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    const data = new FormData(event.currentTarget, submitter);
    const field = (name: string) => String(data.get(name));
    const way = field("way") === "register" ? "register" : "login";
    client()
      [way](field("email"), field("password"))
      // By loading it, so that the layout is rendered for who is now signed in.
      .then(() => location.assign("/account"), setFailure);
  };
  return (
    <form onSubmit={onSubmit}>
      <h1>Sign in</h1>
      <label>
        E-mail address
        <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button disabled={!isHydrated} name="way" value="login">
        Sign in
      </button>
      <button disabled={!isHydrated} name="way" value="register">
        Sign up
      </button>
      {failure && <p role="alert">{failure.message}</p>}
    </form>
  );
}
