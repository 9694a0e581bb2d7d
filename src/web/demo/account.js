// The account: the devices that are signed in, and the ways to leave.

import { device } from "../shared/device.js";
import { button, code, element, fromTemplate } from "../shared/element.js";
import { time } from "../shared/time.js";
import { client } from "./session.js";

const LOOK_AGAIN_MS = 3000;

/** Returns a function that stops it. While it is looked at, it notices devices that come and go, this one too. */
export function showAccount(view, { user, logOut }) {
  view.append(fromTemplate("account"));
  view.querySelector(".email").textContent = user.email;
  view.querySelector(".here").addEventListener("click", () => void logOut());
  view.querySelector(".everywhere").addEventListener("click", () => void logOut({ allDevices: true }));
  const list = view.querySelector(".devices");
  const outcome = view.querySelector("[role=status]");
  let shown;

  async function load() {
    const response = await client()
      .fetch("/api/auth/sessions", { cache: "no-store" })
      .catch(() => undefined);
    if (!list.isConnected) return;
    if (!response?.ok) return void tell("The list can’t be had at the moment.");
    const { sessions } = await response.json();
    const now = JSON.stringify(sessions);
    // Drawn again only when something changed, or a keyboard would lose its place.
    if (now === shown || !list.isConnected) return;
    shown = now;
    list.replaceChildren(...sessions.map((session) => item(session, () => void end(session))));
  }

  async function end({ id, ...session }) {
    const response = await client()
      .fetch(`/api/auth/sessions/${encodeURIComponent(id)}`, { method: "DELETE" })
      .catch(() => undefined);
    await load();
    tell(response?.ok ? `Ended: ${nameOf(session)}.` : "It is not ended yet. Try again.");
    view.querySelector("h3")?.focus();
  }

  function tell(words) {
    outcome.textContent = words;
  }

  void load();
  const looking = setInterval(() => {
    if (document.visibilityState === "visible") void load();
  }, LOOK_AGAIN_MS);
  return () => clearInterval(looking);
}

const deviceOf = ({ user_agent: userAgent }) => device(userAgent) ?? element("span", {}, "Unknown device");
const nameOf = (session) => deviceOf(session).textContent;

function item(session, end) {
  const name = element("p", {}, deviceOf(session), session.current ? " · this device" : "");
  const from = session.ip ? [", from ", code(session.ip)] : [];
  const since = element("p", { className: "quiet" }, "Signed in ", time(session.created_at), ...from);
  const ending = Object.assign(button("End", end), { ariaLabel: `End ${nameOf(session)}` });
  return element("li", {}, element("div", {}, name, since), session.current ? null : ending);
}
