// Entries as a table, each once, whose remaining life counts down.

import { element, link, table } from "../shared/element.js";
import { hrefOfEntry, userLink, whoIs } from "./entries.js";
import { time } from "../shared/time.js";
import { KINDS, reasonOf, remaining } from "./words.js";

const COLUMNS = ["Revoked", "What", "Whose", "Why", "By", "Left"];

export function entryTable(caption) {
  const { node, body, row } = table(caption, COLUMNS);
  const rows = new Map();

  function rowOf(entry) {
    const made = row([
      time(entry.revoked_at),
      link(hrefOfEntry(entry), element("strong", {}, KINDS[entry.kind] ?? entry.kind), " ", idOf(entry)),
      userLink(entry.sub),
      why(entry),
      whoIs(entry),
      remaining(entry.expires_at),
    ]);
    rows.set(entry.key, { made, entry });
    return made;
  }

  const fresh = (entries) => entries.filter(({ key }) => !rows.has(key));

  return {
    node,
    size: () => rows.size,
    append: (entries) => body.append(...fresh(entries).map(rowOf)),
    prepend: (entries) => body.prepend(...fresh(entries).map(rowOf)),

    /** Takes out what an event says was lifted. */
    remove(event) {
      for (const [key, { made, entry }] of rows) {
        if (!isNamedBy(event, entry)) continue;
        made.remove();
        rows.delete(key);
      }
    },
  };
}

const NAMES = { token: "jti", session: "sid", user: "sub" };

/** An entry that somebody wrote by hand may not say what it denies; then the event has what its key says. */
function isNamedBy(event, entry) {
  const name = NAMES[entry.kind];
  const isSame = event.kind === entry.kind && event[name] === (entry[name] ?? entry.id);
  return isSame && (name === "sub" || event.sub === entry.sub);
}

const idOf = ({ id }) => element("code", { className: "id" }, id);

const why = (entry) =>
  element("div", {}, reasonOf(entry), entry.note && element("p", { className: "quiet" }, entry.note));
