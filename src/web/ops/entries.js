// What an entry says, in words; and lifting one.

import { ask } from "./api.js";
import { confirm } from "./confirm.js";
import { device } from "../shared/device.js";
import { code, definitions, element, link } from "../shared/element.js";
import { time } from "../shared/time.js";
import { KINDS, reasonOf, remaining, timeOf } from "./words.js";

export const hrefOfEntry = ({ kind, id }) => `#/entry/${kind}/${encodeURIComponent(id)}`;

export const userLink = (sub) => (sub === null ? null : link(`#/user/${encodeURIComponent(sub)}`, code(sub)));

/** Who did it. */
export const whoIs = ({ by, sub }) => (by !== null && by === sub ? "the user" : code(by));

/** Who, when, why, from where and until when. */
export const storyOf = (entry) =>
  definitions({
    Refused: WHAT[entry.kind] ?? entry.kind,
    Revoked: time(entry.revoked_at),
    Why: reasonOf(entry),
    Note: entry.note,
    By: whoIs(entry),
    From: code(entry.ip),
    Device: device(entry.user_agent),
    "Time left": remaining(entry.expires_at),
    Token: code(entry.jti),
    Session: code(entry.sid),
    User: userLink(entry.sub),
    Issuer: code(entry.iss),
    "Issued up to": timeOf(entry.cutoff),
    "Token issued": timeOf(entry.iat),
    "Token expires": timeOf(entry.exp),
  });

const WHAT = {
  token: "one token",
  session: "all tokens of one session",
  user: "all tokens that the user had until then",
};

export const usesOf = (uses) =>
  !uses
    ? element("p", { className: "quiet" }, "It hasn’t been used since, as far as instances have reported.")
    : definitions({
        "Refused uses": uses.uses,
        "Last refused": time(uses.last_used_at),
        From: code(uses.ip),
        Device: device(uses.user_agent),
      });

/** Says what will be accepted again, and asks. Resolves with the API’s answer, or undefined if the user cancels. */
export const lift = (entry) =>
  confirm({
    title: `Lift this ${KINDS[entry.kind] ?? "entry"}’s revocation?`,
    says: [
      ...AGAIN[entry.kind].map((words) => element("p", {}, words)),
      definitions({
        User: code(entry.sub),
        Revoked: time(entry.revoked_at),
        Why: reasonOf(entry),
        By: whoIs(entry),
        "Time left": remaining(entry.expires_at),
      }),
    ],
    label: "Lift it",
    act: (reason) => ask("DELETE", apiPathOf(entry), { reason }),
  });

const AGAIN = {
  token: ["This token will be accepted again until it expires, unless another rule refuses it."],
  session: [
    "The access tokens that this session still has will be accepted again until they expire, unless another rule refuses them.",
    "The session itself stays ended: it can’t be refreshed.",
  ],
  user: [
    "All tokens that this user had when they were revoked will be accepted again until they expire, unless another rule refuses them.",
  ],
};

export const apiPathOf = ({ kind, id }) =>
  `/api/ops/revocations/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`;

/** Shows what a lift changed. */
export function showLifted(place, { still_refused_by: rules }) {
  const title = element("h3", { tabIndex: -1 }, "Lifted");
  const left =
    rules.length === 0
      ? [element("p", {}, "No other rule is known to refuse it. It is accepted again.")]
      : [
          element("p", {}, "But it is still refused:"),
          element("ul", { className: "rules" }, ...rules.map((rule) => element("li", {}, ruleCard(rule)))),
        ];
  place.replaceChildren(element("section", { className: "card lifted", role: "status" }, title, ...left));
  title.focus();
}

/** One rule that refuses a token, with its entry's story if it has one. */
export const ruleCard = ({ message, entry, uses }) =>
  element(
    "article",
    { className: "rule" },
    element("h3", {}, message),
    entry && storyOf(entry),
    entry && usesOf(uses),
    entry && element("p", {}, link(hrefOfEntry(entry), "See its story, or lift it")),
  );
