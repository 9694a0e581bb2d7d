// The console for ops staff: a page over /api/ops. The address says what is shown, so that back and forward work.

import { onShutOut, signIn, signOut, whoAmI } from "./api.js";
import { byId, button, element, fromTemplate } from "../shared/element.js";
import { showEntry } from "./entry.js";
import { showEvents } from "./events.js";
import { showFailure } from "./failure.js";
import { showOverview } from "./overview.js";
import { showRevocations } from "./revocations.js";
import { showRevoke } from "./revoke.js";
import { showUser } from "./user.js";
import { showWhy } from "./why.js";

/** Each fills the view, and may return a function that stops it when the user goes elsewhere. */
const VIEWS = {
  revocations: ["Revocations", showRevocations],
  entry: ["Entry", showEntry],
  why: ["Why", showWhy],
  revoke: ["Revoke", showRevoke],
  user: ["User", showUser],
  events: ["Events", showEvents],
  overview: ["Overview", showOverview],
};

const view = byId("view");
let stopView = () => undefined;

async function start() {
  byId("sign-out").addEventListener("click", () => void leave());
  // The address belongs to the views; a skip link must not change it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    view.focus();
  });
  onShutOut(({ status, message }) => {
    if (status === 403) showWithoutRole();
    else showSignIn(message);
  });
  try {
    welcome(await whoAmI());
  } catch (error) {
    clear("Curfew: operations");
    showFailure(view, error, start);
  }
}

function welcome(user) {
  if (!user) return showSignIn();
  byId("email").textContent = user.email;
  byId("who").hidden = false;
  if (!user.roles?.includes("ops")) return showWithoutRole();
  byId("nav").hidden = false;
  addEventListener("hashchange", showAddressed);
  showAddressed();
}

/** `#/name/part/part?query` */
function showAddressed() {
  const [path, query] = location.hash.slice(1).split("?");
  const [name, ...parts] = path.split("/").slice(1).map(decoded);
  const shown = name in VIEWS ? name : "revocations";
  const [title, show] = VIEWS[shown];
  clear(`${title} · Curfew`);
  for (const link of byId("nav").querySelectorAll("a")) {
    if (link.hash === `#/${shown}`) link.ariaCurrent = "page";
    else link.removeAttribute("aria-current");
  }
  stopView = show(view, { parts, query: new URLSearchParams(query) }) ?? stopView;
  view.querySelector("h2")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function clear(title) {
  stopView();
  stopView = () => undefined;
  byId("confirm").close();
  document.title = title;
  view.replaceChildren();
}

function shutOut(title) {
  removeEventListener("hashchange", showAddressed);
  byId("nav").hidden = true;
  clear(title);
}

function showSignIn(why = "") {
  byId("who").hidden = true;
  shutOut("Sign in · Curfew");
  view.append(fromTemplate("sign-in"));
  const form = view.querySelector("form");
  const outcome = form.querySelector(".outcome");
  outcome.textContent = why;
  form.elements.email.focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void enter(form, outcome);
  });
}

async function enter(form, outcome) {
  const { email, password } = form.elements;
  outcome.textContent = "";
  try {
    welcome(await signIn(email.value, password.value));
  } catch (error) {
    password.value = "";
    outcome.textContent = error.message;
  }
}

function showWithoutRole() {
  shutOut("No access · Curfew");
  const say = element(
    "p",
    {},
    "Your account lacks the role ",
    element("code", {}, "ops"),
    ". Ask somebody who runs Curfew to grant it, then sign in again.",
  );
  const other = button("Sign in as somebody else", () => void leave(), "");
  view.append(
    element(
      "section",
      { className: "card narrow", role: "alert" },
      element("h2", {}, "You may not see this"),
      say,
      other,
    ),
  );
}

async function leave() {
  try {
    await signOut();
    showSignIn();
  } catch (error) {
    clear("Curfew: operations");
    showFailure(view, error, leave);
  }
}

await start();
