// The demo: a frontend like any other, with a Log Out button. The address says what is shown, so that back and forward
// work; what is private is shown only to who is signed in, whatever the address says.

import { button, byId, element, fromTemplate } from "../shared/element.js";
import { showAccount } from "./account.js";
import { tryCopy } from "./copy.js";
import { showSignIn, showSignUp } from "./forms.js";
import { chooseTransport, client, onSignedOut, onTransportChosen, transport, whoAmI } from "./session.js";
import { whySignedOut } from "./words.js";

/** Each fills the view, and may return a function that stops it. `for` says who may see it; others are sent on. */
const VIEWS = {
  __proto__: null,
  "": { title: "Curfew: a real logout", show: (place) => void place.append(fromTemplate("home")) },
  "sign-in": { title: "Sign in · Curfew", show: showSignIn, for: "out", others: "#/account" },
  "sign-up": { title: "Sign up · Curfew", show: showSignUp, for: "out", others: "#/account" },
  account: { title: "Your account · Curfew", show: showAccount, for: "in", others: "#/sign-in" },
};

const view = byId("view");
const notice = byId("notice");
const trouble = byId("trouble");
let user;
let stopView = () => undefined;
let isLeaving = false;

async function start() {
  trouble.replaceChildren();
  try {
    const [before, now] = [user, await whoAmI()];
    // Who has just been told why, and was taken home.
    if (before && !user) return;
    user = now;
    render();
  } catch {
    clear();
    fail("Nobody knows who is signed in", "The service can’t say at the moment.", start);
  }
}

function render() {
  clear();
  const shown = addressed();
  for (const choice of byId("transport").querySelectorAll("input")) {
    choice.checked = choice.value === transport();
    choice.disabled = user !== undefined;
  }
  stopView = shown.show(view, { user, enter, logOut }) ?? stopView;
  document.title = shown.title;
  for (const node of document.querySelectorAll("[data-for]")) node.hidden = node.dataset.for !== audience();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === (location.hash || "#/")) link.ariaCurrent = "page";
    else link.removeAttribute("aria-current");
  }
}

const audience = () => (user ? "in" : "out");

/** The view that the address names, or the one that somebody who may not see it is sent to. */
function addressed() {
  const named = VIEWS[location.hash.slice(2)] ?? VIEWS[""];
  if (!named.for || named.for === audience()) return named;
  history.replaceState(null, "", named.others);
  return VIEWS[named.others.slice(2)];
}

/** Leaves nothing of what was shown. */
function clear() {
  stopView();
  stopView = () => undefined;
  view.replaceChildren();
}

function go(hash) {
  if (location.hash !== hash) history.pushState(null, "", hash);
  render();
  arrive();
}

/** As after a page has loaded: at its top, and a screen reader says where. */
function arrive() {
  view.querySelector("h2")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

async function enter() {
  notice.replaceChildren();
  user = await whoAmI();
  go("#/account");
}

async function logOut(options) {
  if (isLeaving) return;
  isLeaving = true;
  trouble.replaceChildren();
  try {
    await client().logout(options);
  } catch (error) {
    failToLogOut(error, options);
  } finally {
    isLeaving = false;
  }
}

function failToLogOut({ retry, message }, options) {
  if (!user)
    return fail("Your other devices may still be signed in", "Sign in, then log out everywhere again.");
  const words = retry
    ? "The service could not promise that your token is refused. It may still work, so this page keeps it."
    : message;
  fail("You are not logged out yet", words, () => logOut(options));
}

onSignedOut((how) => {
  if (!user) return;
  user = undefined;
  trouble.replaceChildren();
  go("#/");
  void tell(how);
});

/** Says why, and what a copy of the token is answered now: that it is refused is the point. */
async function tell(how) {
  const box = element("section", { className: "card told" }, element("p", {}, strong(whySignedOut(how))));
  notice.replaceChildren(box);
  box.append(...(await tryCopy(transport())));
}

const strong = (words) => element("strong", {}, words);

function fail(title, words, retry) {
  const again = retry && button("Try again", () => void retry(), "");
  const box = [element("h2", {}, title), element("p", {}, words), again];
  trouble.replaceChildren(element("section", { className: "card failure" }, ...box));
}

byId("log-out").addEventListener("click", () => void logOut());

byId("transport").addEventListener("change", ({ target }) => {
  chooseTransport(target.value);
  void start();
});
onTransportChosen(() => void start());

/** Somebody may have signed in in another tab. What was typed here stays if nobody has. */
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && !user) void lookAgain();
});

async function lookAgain() {
  user = await whoAmI().catch(() => undefined);
  if (user) render();
}

// The address belongs to the views; a skip link must not change it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  view.focus();
});

addEventListener("hashchange", () => {
  notice.replaceChildren();
  render();
  arrive();
});

// A browser may keep a page as it was and show it again on Back: then it must not have anything private in it.
addEventListener("pagehide", clear);
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) void start();
});

await start();
