// Events as they happen.

import { element, fromTemplate } from "../shared/element.js";
import { eventTable } from "./event-table.js";
import { follow } from "./stream.js";

const RECENT = 50;
const HELD_MOST = 500;

export function showEvents(view) {
  view.append(fromTemplate("events"));
  const find = (selector) => view.querySelector(selector);
  const shown = eventTable("Events, the newest first");
  const held = [];
  let isPaused = false;
  let state = "Connecting …";
  find(".result").append(element("p", { className: "quiet" }, "Nothing has happened yet."));

  function show(event) {
    shown.add(event);
    if (!shown.node.isConnected) find(".result").replaceChildren(shown.node);
  }

  function tell() {
    const waiting = held.length === HELD_MOST ? `${HELD_MOST} or more` : held.length;
    find(".live").textContent = isPaused ? `Paused. ${waiting} new. ${state}` : state;
    find(".live").dataset.state = state.startsWith("Live") ? "good" : "bad";
  }

  find(".pause").addEventListener("click", ({ currentTarget: pause }) => {
    isPaused = !isPaused;
    pause.ariaPressed = String(isPaused);
    pause.textContent = isPaused ? "Resume" : "Pause";
    if (!isPaused) held.splice(0).forEach(show);
    tell();
  });

  tell();
  return follow({
    recent: RECENT,
    onState(news) {
      state = news === "connected" ? "Live: events appear as they happen." : news;
      tell();
    },
    onEvent(event) {
      if (!isPaused) return show(event);
      held.push(event);
      if (held.length > HELD_MOST) held.shift();
      tell();
    },
  });
}
