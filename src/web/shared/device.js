// Which device a user agent claims to be. Anybody may claim anything: what it said in full is on hover.

import { element } from "./element.js";

/** The first that fits: most browsers also claim to be others. */
const BROWSERS = [
  ["Edg", "Edge"],
  ["OPR", "Opera"],
  ["Firefox", "Firefox"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
];
const SYSTEMS = [
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Android", "Android"],
  ["Windows", "Windows"],
  ["Macintosh", "Mac"],
  ["Linux", "Linux"],
];

export function device(userAgent) {
  if (userAgent === null) return null;
  const nameIn = (names) => names.find(([claim]) => userAgent.includes(claim))?.[1];
  // It is kept cut off: what is behind the system may be missing.
  const [browser, system] = userAgent.startsWith("Mozilla/5.0 (") ? [nameIn(BROWSERS), nameIn(SYSTEMS)] : [];
  const name = system && [browser, system].filter(Boolean).join(" on ");
  return element("span", { className: "device", title: userAgent }, name ?? userAgent);
}
