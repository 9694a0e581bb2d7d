// One entry's story: what it says, how often it refused, how to see it in Redis, what else happened; and lifting it.

import { ask } from "./api.js";
import { button, element, fromTemplate } from "../shared/element.js";
import { apiPathOf, lift, showLifted, storyOf, usesOf } from "./entries.js";
import { eventTable } from "./event-table.js";
import { showFailure } from "./failure.js";
import { follow } from "./stream.js";
import { KINDS } from "./words.js";

const RECENT = 500;

export function showEntry(view, { parts: [kind, id] }) {
  view.append(fromTemplate("entry"));
  const find = (selector) => view.querySelector(selector);
  let stop = () => undefined;
  let isLeft = false;
  find("h2").textContent = `A revoked ${KINDS[kind] ?? "entry"}`;
  find(".id").textContent = id;

  async function load() {
    try {
      show(await ask("GET", apiPathOf({ kind, id })));
    } catch (error) {
      if (!isLeft) showFailure(find(".story"), error, load);
    }
  }

  function show({ uses, ...entry }) {
    if (isLeft) return;
    const actions = element(
      "p",
      { className: "buttons" },
      button("Lift …", () => void liftIt(entry), "danger"),
    );
    find(".story").replaceChildren(storyOf(entry), ...handwritten(entry), actions);
    find(".uses").replaceChildren(usesOf(uses));
    find(".redis").textContent = redisCommands(entry.key);
    for (const section of view.querySelectorAll("section[hidden]")) section.hidden = false;
    stop();
    stop = followRelated(entry, find(".related"));
  }

  async function liftIt(entry) {
    const answer = await lift(entry);
    if (answer) showLifted(find(".story"), answer);
  }

  void load();
  return () => {
    isLeft = true;
    stop();
  };
}

const handwritten = ({ value }) =>
  value === null
    ? []
    : [element("p", { className: "quiet" }, "Somebody wrote it by hand: "), element("pre", {}, value)];

/** In single quotes, as a shell takes them. */
const redisCommands = (key) => {
  const quoted = `'${key.replaceAll("'", "'\\''")}'`;
  return `redis-cli GET ${quoted}\nredis-cli TTL ${quoted}`;
};

function followRelated(entry, place) {
  const shown = eventTable("Related events");
  const isRelated = (event) =>
    (entry.jti !== null && event.jti === entry.jti) ||
    (entry.sid !== null && event.sid === entry.sid) ||
    (entry.kind === "user" && entry.sub !== null && event.sub === entry.sub);
  place.replaceChildren(element("p", { className: "quiet" }, `None among the last ${RECENT}.`));
  return follow({
    recent: RECENT,
    onState: () => undefined,
    onEvent(event) {
      if (!isRelated(event)) return;
      shown.add(event);
      if (!shown.node.isConnected) place.replaceChildren(shown.node);
    },
  });
}
