// What the API's names mean, and how times are shown.

import { element } from "../shared/element.js";
import { time } from "../shared/time.js";

export const REASONS = {
  logout: "logged out",
  logout_all_devices: "logged out everywhere",
  session_ended: "session ended by its owner",
  password_changed: "password changed",
  refresh_reused: "refresh token used twice",
  revoked_by_ops: "revoked by ops staff",
  revoked_by_client: "revoked by a client",
  logout_at_issuer: "logged out at the issuer",
};

const EVENTS = {
  ...REASONS,
  lifted: "lifted",
  user_added: "account added",
  user_roles_changed: "roles changed",
  user_disabled: "account disabled",
  user_enabled: "account enabled",
  user_password_set: "password set",
  user_deleted: "account deleted",
  refresh_ahead: "Redis went back in time",
  revoked_token_used: "a revoked token was used",
  denylist_began: "the denylist began",
  denylist_lost: "the denylist was lost",
};

export const KINDS = { token: "token", session: "session", user: "user’s tokens" };

export const reasonOf = ({ reason, value }) => REASONS[reason] ?? reason ?? value ?? "not said";

export const wordsForEvent = ({ event }) => EVENTS[event] ?? event;

/** Whether the event wrote an entry: only those say what kind. */
export const hasRevoked = ({ event, kind }) => kind !== null && event !== "lifted";

/** Unix seconds. */
export const timeOf = (seconds) => (seconds === null ? null : time(seconds * 1000));

const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

/** The two largest units, as in "2 d 3 h". */
export function span(seconds) {
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first < 0) return "0 s";
  let left = Math.floor(seconds);
  const parts = UNITS.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return [count, unit];
  });
  return parts
    .filter(([count], at) => at === 0 || count > 0)
    .flat()
    .join(" ");
}

/** What is left until then. It counts down as long as the page stands. */
export function remaining(until) {
  if (until === null) return element("span", { className: "remaining" }, "for good");
  const title = `${new Date(until).toLocaleString()} · ${until} (UTC)`;
  const node = element("time", { className: "remaining", dateTime: until, title, data: { until } });
  tick(node);
  return node;
}

function tick(node) {
  const left = (new Date(node.dataset.until) - Date.now()) / 1000;
  node.textContent = left > 0 ? span(left) : "over";
}

setInterval(() => {
  for (const node of document.querySelectorAll("[data-until]")) tick(node);
}, 1000);
