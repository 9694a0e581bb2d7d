// Shows /openapi.json and sends requests. Everything from there and from answers is set as text, never as HTML.

const FIRST = "/api/auth";
const TWIN = "/api/v1/auth";
const RANK = { [FIRST]: 0, [TWIN]: 2 };

const FOR_CLIENTS =
  "A form, sent by a server with its client’s id and secret. No page should have them, not even this one.";

const FOR_STREAMS = "A stream that doesn’t end, which this page can’t show. Follow it with curl -N.";

const TIMEOUT_MS = 30_000;
const TELLING_HEADER = /^(www-authenticate|retry-after|ratelimit.*|x-request-id|x-auth-.*|allow)$/;
const BLANKS = { string: "", number: 0, integer: 0, boolean: false, array: [] };
const EXAMPLES = {
  email: "ada@example.com",
  password: "a long enough passphrase",
  current_password: "a long enough passphrase",
  new_password: "another long enough passphrase",
};

const byId = (id) => document.getElementById(id);
const accessToken = byId("access-token");
const refreshToken = byId("refresh-token");

async function start() {
  for (const input of [accessToken, refreshToken]) {
    input.addEventListener("input", () => tellOrigin("Changed by hand."));
  }
  byId("forget").addEventListener("click", () => {
    rememberTokens({ access_token: "", refresh_token: "" }, "Both are forgotten.");
  });
  try {
    showDescription(await readDescription());
    byId("loading").remove();
    openTarget();
    addEventListener("hashchange", openTarget);
  } catch (error) {
    byId("loading").className = "problem";
    byId("loading").textContent = `The routes can’t be shown. ${error.message}`;
  }
}

async function readDescription() {
  const { response, text } = await send("/openapi.json");
  if (!response.ok) throw new Error(`/openapi.json answered ${statusOf(response)}. Try again later.`);
  return JSON.parse(text);
}

let schemas = {};

function showDescription({ info, paths, components }) {
  schemas = components.schemas;
  byId("version").textContent = info.version;
  const groups = Object.groupBy(routesOf(paths), ({ operation }) => operation.tags[0]);
  const tags = Object.keys(groups).sort((one, other) => (RANK[one] ?? 1) - (RANK[other] ?? 1));
  const sections = tags.map((tag) =>
    tag === TWIN ? twinsSection(groups[TWIN], groups[FIRST] ?? []) : groupSection(tag, groups[tag]),
  );
  byId("routes").append(...sections, schemasSection(schemas));
}

/** One route for each operation. Methods of a path with the same description are one route. */
function routesOf(paths) {
  return Object.entries(paths).flatMap(([path, operations]) => {
    const alike = Object.groupBy(Object.entries(operations), ([, operation]) =>
      JSON.stringify({ ...operation, operationId: "" }),
    );
    return Object.values(alike).map((same) => ({
      path,
      methods: same.map(([method]) => method.toUpperCase()),
      operation: same[0][1],
    }));
  });
}

const groupSection = (tag, routes) => element("section", {}, groupTitle(tag), ...routes.map(routeDetails));

const groupTitle = (tag) =>
  element("h2", {}, tag.startsWith("/") ? element("code", {}, tag) : tag[0].toUpperCase() + tag.slice(1));

/** The same routes under another path are collapsed. The summary names those with different answers. */
function twinsSection(twins, first) {
  const answers = ({ operation }) => JSON.stringify(operation.responses);
  const known = new Set(first.map((route) => route.path.replace(FIRST, TWIN) + answers(route)));
  const others = twins.filter((route) => !known.has(route.path + answers(route)));
  const exceptions = others.map(({ methods, path }) => `${methods[0]} ${path}`).join(", ");
  const says = `The same routes again. ${exceptions && `Only the answer of ${exceptions} differs.`}`;
  const summary = element("summary", {}, groupTitle(TWIN), element("span", { className: "says" }, says));
  const details = element("details", { className: "twins" }, summary, ...twins.map(routeDetails));
  return element("section", {}, details);
}

function schemasSection(schemas) {
  const shown = Object.entries(schemas).flatMap(([name, schema]) => [
    element("h3", { id: `schema-${name}` }, element("code", {}, name)),
    element("pre", {}, typeOf(schema)),
  ]);
  return element("section", {}, element("h2", {}, "Schemas"), ...shown);
}

function routeDetails(route) {
  const { path, methods, operation } = route;
  const details = byId("route").content.firstElementChild.cloneNode(true);
  const find = (selector) => details.querySelector(selector);
  details.id = `${methods[0].toLowerCase()}${path}`.replace(/\W+/g, "-");
  details.addEventListener("toggle", () => details.open && history.replaceState(null, "", `#${details.id}`));
  find(".method").textContent = find(".method").dataset.method = methods.length > 1 ? "ANY" : methods[0];
  find(".path").textContent = path;
  find(".says").textContent = operation.summary;
  const isForClients = operation.security?.some((each) => "client" in each);
  if (operation.security && !isForClients) find(".lock").removeAttribute("hidden");
  find("select").append(...methods.map((method) => element("option", {}, method)));
  find(".choice").hidden = methods.length === 1;
  find(".choice").after(...(operation.parameters ?? []).map(parameterLabel));
  showBody(details, resolved(schemaIn(operation.requestBody)));
  if (isForClients) find(".body").replaceWith(element("p", { className: "quiet" }, FOR_CLIENTS));
  const isStream = "text/event-stream" in (operation.responses[200]?.content ?? {});
  if (isStream) find(".answer").replaceWith(element("p", { className: "quiet" }, FOR_STREAMS));
  find("form button").hidden = isForClients || isStream;
  find(".answers").append(...Object.entries(operation.responses).flatMap(answerRow));
  find("form").addEventListener("submit", (event) => {
    event.preventDefault();
    void tryRoute(route, event.target);
  });
  return details;
}

function parameterLabel({ name, in: place, description = "", schema }) {
  const input = element("input", { name: `${place}:${name}`, autocomplete: "off" });
  // A browser would resolve one or two dots as a relative path, even if they are encoded.
  const pathOnly = { required: true, pattern: "(?!\\.{1,2}$).+", title: "anything but one or two dots" };
  if (place === "path") Object.assign(input, pathOnly);
  else Object.assign(input, { placeholder: schema.default ?? "", title: description });
  const choices = schema.enum ? `: ${schema.enum.join(", ")}` : "";
  const words = element("span", {}, element("code", {}, name), `, in the ${place}${choices}`);
  return element("label", {}, words, input);
}

function showBody(details, schema) {
  if (!schema) return;
  const editor = details.querySelector("textarea");
  for (const part of details.querySelectorAll(".body, .takes")) part.hidden = false;
  details.querySelector(".takes pre").textContent = typeOf(schema);
  const showExample = () => {
    // Never replaces what somebody has typed.
    if (editor.value !== editor.defaultValue) return;
    editor.value = editor.defaultValue = JSON.stringify(exampleOf(schema), null, 2);
    editor.rows = editor.value.split("\n").length;
  };
  showExample();
  refreshToken.addEventListener("change", showExample);
}

function answerRow([status, answer]) {
  const schema = schemaIn(answer);
  const name = refName(schema?.allOf?.[0] ?? schema);
  const words = element("dd", {}, ...withCode(answer.description));
  const row = [element("dt", {}, status), words];
  if (name) words.append(" · ", element("a", { href: `#schema-${name}` }, name));
  else if (schema) row.push(element("dd", { className: "shape" }, element("pre", {}, typeOf(schema))));
  return row;
}

const schemaIn = (part) => Object.values(part?.content ?? {})[0]?.schema;

/** What a reference to a named schema leads to; any other schema is itself. */
const resolved = (schema) => schemas[refName(schema)] ?? schema;

const refName = (schema) => schema?.$ref?.split("/").at(-1);

/** A schema, written like a TypeScript type. */
function typeOf(schema, indent = "") {
  const all = (schemas, word) => schemas.map((part) => typeOf(part, indent)).join(word);
  const choices = schema.anyOf ?? schema.oneOf;
  const values = schema.enum ?? ("const" in schema ? [schema.const] : undefined);
  if (schema.$ref) return refName(schema);
  if (schema.allOf) return all(schema.allOf, " & ");
  if (choices) return all(choices, " | ");
  if (values) return listOf(values, indent);
  if (schema.type === "array") return `Array<${typeOf(schema.items ?? {}, indent)}>`;
  if (schema.properties) return `{\n${propertyLines(schema, `${indent}  `)}${indent}}`;
  return [schema.type ?? "anything"].flat().join(" | ");
}

function listOf(values, indent) {
  const texts = values.map((value) => JSON.stringify(value));
  return texts.length > 4 ? texts.map((text) => `\n${indent}  | ${text}`).join("") : texts.join(" | ");
}

function propertyLines({ properties, required = [] }, indent) {
  const line = ([name, schema]) => {
    const notes = [schema.format, schema.description].filter(Boolean).join(", ");
    const preset = "default" in schema ? ` = ${JSON.stringify(schema.default)}` : "";
    const mark = required.includes(name) ? "" : "?";
    return `${indent}${name}${mark}: ${typeOf(schema, indent)}${preset}${notes && `  // ${notes}`}\n`;
  };
  return Object.entries(properties).map(line).join("");
}

/** The required members only, and the refresh token if the schema allows one. */
function exampleOf({ properties = {}, required = [] }) {
  const isShown = ([name]) =>
    required.includes(name) || (name === "refresh_token" && refreshToken.value !== "");
  const shown = Object.entries(properties).filter(isShown);
  return Object.fromEntries(shown.map(([name, schema]) => [name, exampleValue(name, schema)]));
}

function exampleValue(name, schema) {
  if (name === "refresh_token") return refreshToken.value;
  if (schema.properties) return exampleOf(schema);
  return EXAMPLES[name] ?? schema.default ?? schema.const ?? schema.enum?.[0] ?? BLANKS[schema.type] ?? null;
}

async function tryRoute({ path, operation }, form) {
  const answer = form.querySelector(".answer");
  const tell = (kind, words) => {
    answer.dataset.kind = kind;
    answer.querySelector(".outcome").textContent = words;
  };
  if (answer.dataset.kind === "waiting") return;
  tell("waiting", "Sending …");
  showContent(answer, [], "");
  try {
    const { url, options } = requestOf(path, operation, form.elements);
    const { response, text } = await send(url, options);
    const body = parsed(text);
    tell(response.ok ? "good" : "bad", statusOf(response) + wordsFor(response, body));
    showContent(answer, response.headers, body === undefined ? text : JSON.stringify(body, null, 2));
    if (response.ok) rememberTokens(body ?? {}, `From ${options.method} ${url}.`);
  } catch (error) {
    tell("bad", error.message);
  }
}

function requestOf(path, { parameters = [] }, fields) {
  const inPath = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(fields[`path:${name}`].value));
  const asked = parameters
    .filter(({ name, in: place }) => place === "query" && fields[`query:${name}`].value !== "")
    .map(({ name }) => [name, fields[`query:${name}`].value]);
  const url = asked.length === 0 ? inPath : `${inPath}?${new URLSearchParams(asked)}`;
  const options = { method: fields.method.value, headers: {} };
  const token = accessToken.value.trim();
  if (/[^\x20-\x7e]/.test(token)) throw new Error("Not sent: no header can carry this access token.");
  if (token !== "") options.headers.Authorization = `Bearer ${token}`;
  if (fields.body.value.trim() === "") return { url, options };
  assertJson(fields.body);
  options.headers["Content-Type"] = "application/json";
  return { url, options: { ...options, body: fields.body.value } };
}

function assertJson(editor) {
  editor.ariaInvalid = "false";
  try {
    JSON.parse(editor.value);
  } catch (error) {
    editor.ariaInvalid = "true";
    throw new Error(`Not sent: the body is not JSON. ${error.message}`, { cause: error });
  }
}

async function send(url, options) {
  try {
    const response = await fetch(url, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { response, text: await response.text() };
  } catch (error) {
    throw new Error(`No answer from ${location.host}. Is it running? (${error.message})`, { cause: error });
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const statusOf = ({ status, statusText }) => `${status} ${statusText}`.trim();

/** Why the request was refused, and when to try again. */
function wordsFor(response, body) {
  if (response.ok) return "";
  const retryAfter = response.headers.get("Retry-After");
  const why = body?.message ?? "The answer doesn’t look like Curfew’s. Is there a proxy in between?";
  return `: ${why}${retryAfter ? ` It may work in ${retryAfter} s.` : ""}`;
}

function showContent(answer, headers, text) {
  const telling = [...headers].filter(([name]) => TELLING_HEADER.test(name));
  const rows = telling.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  answer.querySelector(".headers").replaceChildren(...rows);
  answer.querySelector(".content").textContent = text;
}

function rememberTokens(tokens, origin) {
  if (typeof tokens.access_token !== "string") return;
  accessToken.value = tokens.access_token;
  refreshToken.value = tokens.refresh_token;
  refreshToken.dispatchEvent(new Event("change"));
  tellOrigin(origin);
}

const tellOrigin = (origin) => void (byId("tokens-from").textContent = origin);

function element(name, properties, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

/** A description's text, with the parts between backticks as code. */
const withCode = (text) =>
  text.split("`").map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part));

/** Opens the element that the URL's fragment names, and everything around it. */
function openTarget() {
  const target = byId(location.hash.slice(1));
  for (let node = target; node; node = node.parentElement) {
    if (node.localName === "details") node.open = true;
  }
  target?.scrollIntoView();
}

await start();
