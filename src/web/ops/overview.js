// One look: what is being revoked and refused, and how Redis is.

import { ask } from "./api.js";
import { chartOf } from "./chart.js";
import { code, definitions, element, fromTemplate, link } from "../shared/element.js";
import { showFailure } from "./failure.js";
import { follow } from "./stream.js";
import { time } from "../shared/time.js";

const RECENT = 500;
const STATUS_MS = 10_000;
const CHART_MS = 1000;
const HELD_MOST = 5000;

export function showOverview(view) {
  view.append(fromTemplate("overview"));
  const find = (selector) => view.querySelector(selector);
  const events = [];
  let [isLeft, hasChanged, shownStatus] = [false, true, ""];

  async function load() {
    // Time goes on, whether anything happens or not.
    hasChanged = true;
    try {
      const status = await ask("GET", "/api/ops/status");
      // A screen reader hears of what has changed, not of every look.
      const shown = JSON.stringify({ ...status, mirror: status.mirror?.state });
      if (isLeft || shown === shownStatus) return;
      shownStatus = shown;
      find(".result").replaceChildren(...statusCards(status));
    } catch (error) {
      shownStatus = "";
      if (!isLeft) showFailure(find(".result"), error, load);
    }
  }

  function draw() {
    if (!hasChanged) return;
    hasChanged = false;
    find(".chart").replaceChildren(chartOf(events, Date.now()));
  }

  void load();
  draw();
  const timers = [setInterval(() => void load(), STATUS_MS), setInterval(draw, CHART_MS)];
  const stop = follow({
    recent: RECENT,
    onState(state) {
      find(".live").textContent =
        state === "connected" ? `Live, beginning with the last ${RECENT} events.` : state;
      find(".live").dataset.state = state === "connected" ? "good" : "bad";
    },
    onEvent(event) {
      hasChanged = true;
      events.push(event);
      if (events.length > HELD_MOST) events.shift();
    },
  });
  return () => {
    isLeft = true;
    timers.forEach(clearInterval);
    stop();
  };
}

const FILE = {
  on: "on",
  off: "off: a restart forgets every logout",
  failing: "failing: Redis can’t write to its disk",
};

function statusCards({ redis, epochs, events, mirror }) {
  const { nodes, warnings } = redis;
  return [
    element(
      "section",
      { className: "card" },
      element("h3", {}, "Redis"),
      ...warningList(warnings),
      ...nodes.map(nodeList),
    ),
    element(
      "section",
      { className: "card" },
      element("h3", {}, "The denylist"),
      ...epochList(epochs),
      definitions({
        Events: link("#/events", `${events} in the stream`),
        ...(mirror && { "This instance’s mirror": mirrorText(mirror) }),
      }),
    ),
  ];
}

const mirrorText = ({ state, entries, staleness_ms }) =>
  state === "fresh" ? `fresh (${staleness_ms} ms), ${entries} entries` : `${state}: checks ask Redis`;

const warningList = (warnings) =>
  warnings.length === 0
    ? [element("p", { className: "good" }, "No warnings.")]
    : warnings.map(({ code: name, message }) =>
        element("p", { className: "warning" }, element("strong", {}, message), " ", code(name)),
      );

const nodeList = ({ version, replicas, eviction_policy, append_only_file }) =>
  definitions({
    Version: version,
    Replicas: String(replicas),
    "Eviction policy": code(eviction_policy),
    "Append-only file": FILE[append_only_file],
  });

const NEVER = "There is none yet: nothing has been revoked.";

const epochList = (epochs) => {
  const rowOf = ({ epoch, since }) =>
    definitions({ "Remembers since": since === null ? NEVER : time(since), Epoch: code(epoch) });
  if (epochs.length === 1) return epochs.map(rowOf);
  const shards = epochs.flatMap((each) => [element("h4", {}, code(each.prefix)), rowOf(each)]);
  const latest = epochs
    .map(({ since }) => since ?? "")
    .sort()
    .at(-1);
  return [
    definitions({
      Shards: String(epochs.length),
      "All remember since": latest === "" ? NEVER : time(latest),
    }),
    element("details", {}, element("summary", {}, "Each shard"), ...shards),
  ];
};
