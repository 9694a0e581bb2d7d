// What is revoked, live: the newest first, or everything that is in Redis.

import { ask } from "./api.js";
import { element, fromTemplate, link } from "../shared/element.js";
import { entryTable } from "./entry-table.js";
import { showFailure } from "./failure.js";
import { follow } from "./stream.js";
import { isToken } from "./why.js";
import { hasRevoked, REASONS } from "./words.js";

const FILTERS = ["user", "q", "kind", "reason", "order"];
const PAGE = 50;
/** Of a filter that finds little, pages come empty: it is asked on until so many are found. */
const AT_LEAST = 20;
const REFRESH_MS = 500;

export function showRevocations(view, { query }) {
  view.append(fromTemplate("revocations"));
  const find = (selector) => view.querySelector(selector);
  const shown = entryTable("Revocations");
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  filter.order ||= "newest";
  const isNewest = filter.order === "newest";
  let [cursor, isLeft, isStopped, timer] = [null, false, false, undefined];
  fillForm(find("form"), filter);

  const page = (from) => {
    const asked = Object.entries({ ...filter, limit: PAGE, cursor: from ?? "" }).filter(
      ([, value]) => value !== "",
    );
    return ask("GET", `/api/ops/revocations?${new URLSearchParams(asked)}`);
  };

  /** Goes on until there is something to see, says how far it is, and can be stopped. */
  async function load() {
    const goal = shown.size() + AT_LEAST;
    isStopped = false;
    find(".more").hidden = true;
    find(".stop").hidden = false;
    try {
      do {
        const { items, next_cursor, looked, of } = await page(cursor);
        if (isLeft) return;
        shown.append(items);
        cursor = next_cursor;
        tell(looked, of);
      } while (cursor !== null && !isStopped && shown.size() < goal);
      showTable();
    } catch (error) {
      if (!isLeft) showFailure(find(".result"), error, load);
    } finally {
      if (!isLeft) {
        find(".stop").hidden = true;
        find(".more").hidden = cursor === null;
      }
    }
  }

  function tell(looked, of) {
    const what = isNewest ? "events" : "keys";
    const how = cursor === null ? "That is all" : `Looked at ${looked} of ${of} ${what}`;
    find(".progress").textContent = `${shown.size()} shown. ${how}.`;
    if (shown.size() > 0) showTable();
  }

  function showTable() {
    if (shown.size() > 0) {
      if (!shown.node.isConnected) find(".result").replaceChildren(shown.node);
    } else if (cursor === null) find(".result").replaceChildren(nothing(filter));
  }

  /** The newest page again, for what has just happened. */
  async function refresh() {
    timer = undefined;
    try {
      const { items } = await page(null);
      if (isLeft) return;
      shown.prepend(items);
      find(".progress").textContent = `${shown.size()} shown.`;
      showTable();
    } catch {
      // The stream tells when it has come back, and this is asked again.
    }
  }

  const soon = () => (timer ??= setTimeout(() => void refresh(), REFRESH_MS));

  find(".more").addEventListener("click", () => void load());
  find(".stop").addEventListener("click", () => (isStopped = true));
  find("form").addEventListener("submit", (event) => {
    event.preventDefault();
    applyFilter(find("form"), find(".progress"));
  });
  void load();
  let isFirst = true;
  const stop = follow({
    onState(state) {
      find(".live").textContent = state === "connected" ? (isNewest ? "Live" : "") : state;
      find(".live").dataset.state = state === "connected" ? "good" : "bad";
      // What happened while it wasn’t connected comes with the stream; what was lifted by hand doesn’t.
      if (state === "connected" && !isFirst && isNewest) soon();
      isFirst = false;
    },
    onEvent(event) {
      if (event.event === "lifted") shown.remove(event);
      else if (isNewest && hasRevoked(event)) soon();
    },
  });
  return () => {
    isLeft = true;
    clearTimeout(timer);
    stop();
  };
}

function fillForm(form, filter) {
  const options = Object.entries(REASONS).map(([value, words]) => element("option", { value }, words));
  form.elements.reason.append(...options);
  for (const name of FILTERS) form.elements[name].value = filter[name];
}

function applyFilter(form, progress) {
  const values = FILTERS.map((name) => [name, form.elements[name].value.trim()]);
  if (values.some(([, value]) => isToken(value))) {
    form.reset();
    progress.replaceChildren(
      "That is a token. It must not appear in an address. ",
      link("#/why", "Paste it under Why."),
    );
    return;
  }
  const said = values.filter(([name, value]) => value !== "" && `${name}=${value}` !== "order=newest");
  location.hash = `#/revocations${said.length > 0 ? `?${new URLSearchParams(said)}` : ""}`;
}

function nothing({ order, ...filter }) {
  const isFiltered = Object.values(filter).some((value) => value !== "");
  const words = isFiltered ? "Nothing that is revoked matches." : "Nothing is revoked.";
  const older = "This list is made from the events. It misses older entries and those written by hand: ";
  const all = new URLSearchParams(
    Object.entries({ ...filter, order: "any" }).filter(([, value]) => value !== ""),
  );
  return element(
    "section",
    { className: "card" },
    element("p", {}, words),
    order === "newest" &&
      element("p", { className: "quiet" }, older, link(`#/revocations?${all}`, "show everything")),
  );
}
