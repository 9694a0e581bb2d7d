import type { Failure } from "curfew/browser";
import { useState, type FormEvent } from "react";

type Way = "login" | "register";
type Props = { enter: (way: Way, email: string, password: string) => Promise<void> };

export function SignIn({ enter }: Props) {
  const [failure, setFailure] = useState<Failure>();

  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    const data = new FormData(event.currentTarget, submitter);
    const field = (name: string) => String(data.get(name));
    enter(field("way") as Way, field("email"), field("password")).catch(setFailure);
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
      <button name="way" value="login">
        Sign in
      </button>
      <button name="way" value="register">
        Sign up
      </button>
      {failure && <p role="alert">{failure.message}</p>}
    </form>
  );
}
