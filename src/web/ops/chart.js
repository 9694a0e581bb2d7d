// Revocations and refused uses over time, in one small chart.

import { element } from "../shared/element.js";
import { hasRevoked, span } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const BARS = 30;
const [WIDTH, HEIGHT, GAP] = [600, 140, 4];
/** How long a bar lasts, in seconds: what people count in. */
const STEPS = [10, 30, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86_400, 7 * 86_400];

const SERIES = [
  ["revoked", "revocations", hasRevoked],
  ["used", "refused uses, one a minute for each token", ({ event }) => event === "revoked_token_used"],
];

/** Draws the events from the first of them until now. */
export function chartOf(events, nowMs) {
  const times = events.map(({ timestamp }) => Date.parse(timestamp)).filter((at) => !Number.isNaN(at));
  const first = Math.min(nowMs, ...times);
  const step = STEPS.find((each) => each * BARS * 1000 >= nowMs - first) ?? STEPS.at(-1);
  const end = Math.ceil(nowMs / (step * 1000)) * step * 1000;
  const barOf = (at) => BARS - Math.ceil((end - at) / (step * 1000));
  const counts = SERIES.map(([, , isIn]) => {
    const bars = Array.from({ length: BARS }, () => 0);
    for (const event of events.filter(isIn)) {
      const bar = barOf(Date.parse(event.timestamp));
      if (bar >= 0 && bar < BARS) bars[bar] += 1;
    }
    return bars;
  });
  return draw(counts, step);
}

function draw(counts, step) {
  const most = Math.max(1, ...counts.flat());
  const totals = counts.map((bars) => bars.reduce((sum, count) => sum + count, 0));
  const duration = span(step * BARS);
  const label = `${totals[0]} revocations and ${totals[1]} refused uses in the last ${duration}`;
  const picture = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-label": label,
    preserveAspectRatio: "none",
  });
  picture.append(svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
  const slot = WIDTH / BARS;
  const width = (slot - GAP) / 2;
  counts.forEach((bars, series) => {
    bars.forEach((count, at) => {
      if (count === 0) return;
      const height = (count / most) * (HEIGHT - 10);
      const [x, y] = [at * slot + GAP / 2 + series * width, HEIGHT - height];
      const bar = svg("rect", { class: SERIES[series][0], x, y, width: width - 1, height });
      const title = svg("title", {});
      title.textContent = `${count} ${SERIES[series][1]}`;
      bar.append(title);
      picture.append(bar);
    });
  });
  const legend = SERIES.map(([name, words], at) =>
    element("li", { className: name }, element("strong", {}, totals[at]), ` ${words}`),
  );
  return element(
    "figure",
    {},
    picture,
    element(
      "p",
      { className: "scale quiet" },
      element("span", {}, `${duration} ago`),
      element("span", {}, `a bar is ${span(step)}, the highest ${most}`),
      element("span", {}, "now"),
    ),
    element("ul", { className: "legend" }, ...legend),
  );
}

function svg(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
