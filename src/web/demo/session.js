// Who is signed in, in the transport that was chosen. The client does the work; this is all that a frontend adds.

import { createClient } from "/curfew.js";
import { keepCopy } from "./copy.js";

const CHOICE = "curfew-demo-transport";

export const transport = () => (localStorage.getItem(CHOICE) === "cookie" ? "cookie" : "bearer");

export const chooseTransport = (name) => void localStorage.setItem(CHOICE, name);

const listeners = [];

/** One for each transport, made when it is first needed: each listens to the other tabs for as long as the page is. */
const clients = {};

export function client() {
  const name = transport();
  const storage = name === "bearer" ? { storage: keepCopy(localStorage) } : {};
  clients[name] ??= listened(createClient({ url: "/api/auth", transport: name, ...storage }), name);
  return clients[name];
}

function listened(made, name) {
  made.onSignedOut((how) => {
    if (name === transport()) for (const listener of listeners) listener(how);
  });
  return made;
}

/** Is told in every tab, once, why nobody is signed in any more. */
export const onSignedOut = (listener) => void listeners.push(listener);

/** The choice is the same in all tabs. */
export const onTransportChosen = (listener) =>
  void addEventListener("storage", ({ key }) => {
    if (key === CHOICE) listener();
  });

/** Asks the service: the account of who is signed in; undefined if nobody is. */
export async function whoAmI() {
  const response = await client().fetch("/api/users/me", { cache: "no-store" });
  if (response.status === 401) return undefined;
  if (!response.ok) throw new Error(`The service answered ${response.status}.`);
  return response.json();
}
