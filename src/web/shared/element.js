// Makes what is shown. Whatever comes from the API goes through here, as text and never as HTML.

export const byId = (id) => document.getElementById(id);

export function element(name, properties, ...children) {
  const { role, data = {}, ...others } = properties ?? {};
  const node = Object.assign(document.createElement(name), others);
  if (role) node.setAttribute("role", role);
  Object.assign(node.dataset, data);
  node.append(
    ...children
      .flat()
      .filter((child) => child !== null && child !== undefined && child !== false && child !== ""),
  );
  return node;
}

/** A view's content, from its template. */
export const fromTemplate = (id) => byId(id).content.cloneNode(true);

export const link = (href, ...children) => element("a", { href }, ...children);

export const code = (text) => (text ? element("code", {}, text) : null);

export function button(text, onClick, className = "plain") {
  const node = element("button", { type: "button", className }, text);
  node.addEventListener("click", onClick);
  return node;
}

/** A list of names and values; a value that isn't there leaves its row out. */
export const definitions = (rows) =>
  element(
    "dl",
    {},
    ...Object.entries(rows)
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );

/**
 * A table that becomes cards on a phone. The roles are said once more, because a table that isn't laid out as one is
 * none to some screen readers.
 */
export function table(caption, columns) {
  const heads = columns.map((name) => element("th", { scope: "col", role: "columnheader" }, name));
  const head = element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads));
  const body = element("tbody", { role: "rowgroup" });
  const title = element("caption", { className: "hidden" }, caption);
  const node = element("table", { role: "table" }, title, head, body);
  const row = (cells) =>
    element(
      "tr",
      { role: "row" },
      ...cells.map((cell, at) => element("td", { role: "cell", data: { label: columns[at] } }, cell ?? "–")),
    );
  return { node, body, row };
}
