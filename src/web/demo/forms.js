// Signing in and signing up.

import { fromTemplate } from "../shared/element.js";
import { client } from "./session.js";
import { whatWentWrong } from "./words.js";

export const showSignIn = (view, { enter }) =>
  showForm(view, "sign-in", enter, (email, password) => client().login(email, password));

export const showSignUp = (view, { enter }) =>
  showForm(view, "sign-up", enter, (email, password) => client().register(email, password));

function showForm(view, name, enter, send) {
  view.append(fromTemplate(name));
  const form = view.querySelector("form");
  const { email, password } = form.elements;
  const outcome = form.querySelector(".outcome");
  let isSending = false;

  async function submit() {
    outcome.textContent = "";
    for (const field of [email, password]) field.removeAttribute("aria-invalid");
    try {
      await send(email.value, password.value);
    } catch (error) {
      outcome.textContent = whatWentWrong(error);
      for (const { path } of error.details ?? []) form.elements[path]?.setAttribute("aria-invalid", "true");
      return;
    }
    await enter();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isSending) return;
    isSending = true;
    void submit().finally(() => {
      isSending = false;
    });
  });
}
