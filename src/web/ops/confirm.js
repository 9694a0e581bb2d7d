// Asks before something is changed: says what will happen, asks for a reason, and shows what went wrong.

import { byId } from "../shared/element.js";

/**
 * Resolves with what `act(reason)` returned, or undefined if the user cancels. If `act` throws, the dialog stays open
 * and says why.
 */
export function confirm({ title, says, label, reason = "", act }) {
  const dialog = byId("confirm");
  const form = dialog.querySelector("form");
  const submit = form.querySelector(".danger");
  const outcome = form.querySelector(".outcome");
  byId("confirm-title").textContent = title;
  dialog.querySelector(".says").replaceChildren(...says);
  submit.textContent = label;
  outcome.textContent = "";
  form.elements.reason.value = reason;
  return new Promise((resolve) => {
    const listening = new AbortController();
    let result;
    const listen = (node, name, listener) =>
      node.addEventListener(name, listener, { signal: listening.signal });
    listen(form.querySelector(".cancel"), "click", () => dialog.close());
    listen(dialog, "close", () => {
      listening.abort();
      resolve(result);
    });
    listen(form, "submit", (event) => {
      event.preventDefault();
      submit.disabled = true;
      act(form.elements.reason.value)
        .then((value) => {
          result = value;
          dialog.close();
        })
        .catch((error) => {
          outcome.textContent = error.message;
        })
        .finally(() => {
          submit.disabled = false;
        });
    });
    dialog.showModal();
  });
}
