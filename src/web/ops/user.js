// A user's sessions, with device and last use.

import { ask } from "./api.js";
import { device } from "../shared/device.js";
import { button, code, element, fromTemplate, link, table } from "../shared/element.js";
import { showFailure } from "./failure.js";
import { revokeSession, revokeUser } from "./revoke.js";
import { time } from "../shared/time.js";

export function showUser(view, { parts: [user] }) {
  view.append(fromTemplate("user"));
  const form = view.querySelector("form");
  const result = view.querySelector(".result");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = `#/user/${encodeURIComponent(form.elements.user.value.trim())}`;
  });
  if (!user) return form.elements.user.focus();
  form.elements.user.value = user;

  async function load() {
    try {
      const { sessions } = await ask("GET", `/api/ops/users/${encodeURIComponent(user)}/sessions`);
      show(sessions);
    } catch (error) {
      showFailure(result, error, error.status === 404 ? undefined : load);
    }
  }

  async function endThen(ending) {
    if (await ending) await load();
  }

  const endButton = (id) =>
    Object.assign(
      button("End …", () => void endThen(revokeSession(id))),
      { ariaLabel: `End … session ${id}` },
    );

  function show(sessions) {
    const revocations = link(`#/revocations?user=${encodeURIComponent(user)}`, "Their revocations");
    if (sessions.length === 0) {
      const none = element("p", {}, "This user has no live session.");
      return result.replaceChildren(none, element("p", {}, revocations));
    }
    const list = table("Sessions", ["Device", "From", "Last used", "Signed in", "Ends", "Id", ""]);
    list.body.append(
      ...sessions.map(({ id, ...session }) =>
        list.row([
          device(session.user_agent),
          code(session.ip),
          time(session.last_used_at),
          time(session.created_at),
          time(session.expires_at),
          element("span", { className: "quiet id" }, id),
          endButton(id),
        ]),
      ),
    );
    const all = button("End all …", () => void endThen(revokeUser(user)), "danger");
    result.replaceChildren(list.node, element("p", { className: "buttons" }, all, revocations));
  }

  void load();
}
