// Events as a table, the newest on top.

import { device } from "../shared/device.js";
import { code, element, link, table } from "../shared/element.js";
import { userLink, whoIs } from "./entries.js";
import { time } from "../shared/time.js";
import { wordsForEvent } from "./words.js";

const MOST = 500;

export function eventTable(caption) {
  const { node, body, row } = table(caption, ["When", "What", "Whose", "By", "From"]);
  return {
    node,
    add(event) {
      body.prepend(
        row([time(event.timestamp), whatHappened(event), userLink(event.sub), whoIs(event), from(event)]),
      );
      while (body.rows.length > MOST) body.lastElementChild.remove();
    },
  };
}

function whatHappened(event) {
  const named = [event.jti && `token ${event.jti}`, event.sid && `session ${event.sid}`].filter(Boolean);
  return element(
    "div",
    {},
    element("strong", { data: { event: event.event } }, wordsForEvent(event)),
    event.note && element("p", {}, event.note),
    ...named.map((each) => element("p", { className: "quiet id" }, each)),
    event.jti && element("p", {}, link(`#/why?jti=${encodeURIComponent(event.jti)}`, "Why?")),
  );
}

const from = ({ ip, user_agent: userAgent }) =>
  ip === null && userAgent === null
    ? null
    : element("div", {}, code(ip), element("p", { className: "quiet" }, device(userAgent)));
