// How a moment is shown.

import { element } from "./element.js";

/** Local time to read, UTC on hover. */
export function time(at) {
  if (!at) return null;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const shown = date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return element("time", { dateTime: date.toISOString(), title: `${date.toISOString()} (UTC)` }, shown);
}
