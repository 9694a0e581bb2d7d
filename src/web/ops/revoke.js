// Revokes a token, a session or a user, with a reason.

import { ask } from "./api.js";
import { confirm } from "./confirm.js";
import { code, element, fromTemplate, link } from "../shared/element.js";
import { hrefOfEntry } from "./entries.js";
import { withoutScheme } from "./why.js";

export function showRevoke(view, { query }) {
  view.append(fromTemplate("revoke"));
  const form = view.querySelector("form");
  const result = view.querySelector(".result");
  const fields = form.elements;

  function choose() {
    for (const part of form.querySelectorAll("[data-for]")) {
      part.hidden = part.dataset.for !== fields.what.value;
      for (const input of part.querySelectorAll("input, textarea")) input.required = !part.hidden;
    }
  }

  for (const what of ["jti", "session", "user"]) {
    if (!query.has(what)) continue;
    fields.what.value = what;
    fields[what].value = query.get(what);
  }
  choose();
  form.addEventListener("change", choose);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void revoke();
  });

  async function revoke() {
    const [what, target, reason] = [fields.what.value, targetIn(fields), fields.reason.value];
    // So that the token isn’t on the screen for longer than necessary.
    fields.token.value = "";
    result.replaceChildren();
    try {
      const isDone =
        what === "user"
          ? await revokeUser(target.user, reason)
          : await ask("POST", PATH, { ...target, reason });
      if (isDone) showDone(result, what, target);
    } catch (error) {
      const words = error.status === 404 ? `There is no such ${what}.` : error.message;
      result.replaceChildren(element("p", { className: "card problem", role: "alert" }, words));
    }
  }
}

const PATH = "/api/ops/revocations";

function targetIn(fields) {
  const what = fields.what.value;
  if (what === "token") return { token: withoutScheme(fields.token.value) };
  if (what !== "jti") return { [what]: fields[what].value.trim() };
  return { jti: fields.jti.value.trim(), expires_at: new Date(fields.expires_at.value).toISOString() };
}

/** Ends every session of a user, after asking. Resolves with the answer, or undefined if the user cancels. */
export const revokeUser = (user, reason = "") =>
  confirm({
    title: "End all sessions of this user?",
    says: [
      element("p", {}, "On every device, ", code(user), " is logged out at once and has to log in again."),
    ],
    label: "End them all",
    reason,
    act: (given) => ask("POST", PATH, { user, reason: given }),
  });

/** Ends one session, after asking. */
export const revokeSession = (session) =>
  confirm({
    title: "End this session?",
    says: [
      element("p", {}, "Its device is logged out at once and has to log in again."),
      element("p", {}, code(session)),
    ],
    label: "End it",
    act: (reason) => ask("POST", PATH, { session, reason }),
  });

function showDone(place, what, target) {
  const entry = { jti: { kind: "token", id: target.jti }, session: { kind: "session", id: target.session } }[
    what
  ];
  place.replaceChildren(
    element(
      "section",
      { className: "card lifted" },
      element("h3", {}, "Revoked"),
      element("p", {}, "It is refused from now on."),
      element(
        "p",
        {},
        entry ? link(hrefOfEntry(entry), "Its story") : link("#/revocations", "See the newest revocations"),
      ),
    ),
  );
}
