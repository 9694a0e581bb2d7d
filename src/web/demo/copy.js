// A copy of the token, kept on purpose. A frontend must not do that: here it shows what becomes of a copy after a logout.

import { code, element } from "../shared/element.js";

let copy;

/** Storage like the one given. Of the tokens that are kept there, the access token is copied in memory. */
export const keepCopy = (storage) => ({
  getItem: (key) => noted(storage.getItem(key)),
  setItem: (key, value) => void storage.setItem(key, noted(value)),
  removeItem: (key) => void storage.removeItem(key),
});

function noted(value) {
  copy = /"(eyJ[\w-]+\.[\w-]+\.[\w-]+)"/.exec(value)?.[1] ?? copy;
  return value;
}

/** Sends a request with the copy, forgets it, and says what the answer was. By cookie, with what the browser has left. */
export async function tryCopy(transport) {
  const token = copy;
  copy = undefined;
  if (!token && transport !== "cookie") return [];
  const answer = await answerTo(token ? { Authorization: `Bearer ${token}` } : {});
  const [what, note] = token
    ? ["The token you had: ", "This page kept a copy on purpose, tried it, and has now forgotten it."]
    : [
        answer.includes("token_missing") ? "Without your cookie: " : "The token in your cookie: ",
        "No script can read a token in a cookie, so this page has no copy to try.",
      ];
  return [element("p", {}, what, code(answer)), element("p", { className: "quiet" }, note)];
}

async function answerTo(headers) {
  const response = await fetch("/api/users/me", { headers, cache: "no-store" }).catch(() => undefined);
  if (!response) return "no answer";
  const { code: name, reason } = await response.json().catch(() => ({}));
  return [response.status, name].filter(Boolean).join(" ") + (reason ? `, reason ${reason}` : "");
}
