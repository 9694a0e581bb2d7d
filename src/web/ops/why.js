// Why a token is refused, or that it isn't. The token is sent once, and neither kept nor put into an address.

import { ask } from "./api.js";
import { code, definitions, element, fromTemplate, link } from "../shared/element.js";
import { ruleCard, userLink } from "./entries.js";
import { showFailure } from "./failure.js";
import { time } from "../shared/time.js";

/** A token has a dot and begins with `{"` in base64url; an id doesn't. */
export const isToken = (text) => /^ey[\w-]*\./.test(text);

export const withoutScheme = (text) => text.trim().replace(/^bearer\s+/i, "");

const VERDICTS = {
  alive: ["Accepted", "Nothing refuses it."],
  dead: ["Refused", ""],
  not_genuine: ["Not genuine", "Nothing in a forged token can be trusted, so nothing was looked up for it."],
  unknown: [
    "Not revoked by this id",
    "Whether such a token exists, or is refused for its session or its age, can’t be told from its id. Paste the whole token.",
  ],
};

const TOKENS = {
  own: "an access token, issued by Curfew",
  foreign: "another issuer’s token",
  refresh: "a refresh token",
};

export function showWhy(view, { query }) {
  view.append(fromTemplate("why"));
  const form = view.querySelector("form");
  const result = view.querySelector(".result");

  async function explain(text) {
    const subject = withoutScheme(text);
    result.replaceChildren(element("p", { className: "quiet" }, "Asking …"));
    try {
      const answer = await ask(
        "POST",
        "/api/ops/why",
        isToken(subject) ? { token: subject } : { jti: subject },
      );
      showVerdict(result, answer, isToken(subject) ? null : subject);
    } catch (error) {
      showFailure(result, error, error.status === 400 ? undefined : () => explain(subject));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { value } = form.elements.subject;
    form.reset();
    void explain(value);
  });
  const jti = query.get("jti");
  if (jti !== null && !isToken(jti)) void explain(jti);
  else form.elements.subject.focus();
}

function showVerdict(place, { verdict, rules, token }, jti) {
  const [title, says] = VERDICTS[verdict];
  const named = jti !== null && definitions({ jti: code(jti) });
  place.replaceChildren(
    element(
      "section",
      { className: "card verdict", data: { verdict } },
      element("p", { className: "big" }, title),
      says && element("p", {}, says),
      token ? definitions(tokenRows(token)) : named,
    ),
    element(
      "ul",
      { className: "rules" },
      ...rules.map((rule) => element("li", { className: "card" }, ruleCard(rule))),
    ),
  );
}

const tokenRows = ({ kind, sub, jti, sid, issued_at, expires_at }) => ({
  What: TOKENS[kind] ?? kind,
  User: userLink(sub),
  jti: code(jti),
  Session:
    sid &&
    element("span", {}, code(sid), " ", link(`#/revoke?session=${encodeURIComponent(sid)}`, "Revoke it")),
  Issued: time(issued_at),
  Expires: time(expires_at),
});
