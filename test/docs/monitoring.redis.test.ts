import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { eventually, me, register } from "../helpers/client";
import { scrape, type Samples } from "../helpers/metrics";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";

type Panel = {
  type: string;
  title: string;
  datasource?: { uid: string };
  targets?: { expr: string; datasource: { uid: string } }[];
};
type Variable = { name: string; type: string; definition?: string };
type Dashboard = { panels: Panel[]; templating: { list: Variable[] } };
type Rule = { alert: string; expr: string; labels: object; annotations: { summary: string } };

const read = (name: string) => readFileSync(`docs/${name}`, "utf8");
const dashboard = JSON.parse(read("monitoring/dashboard.json")) as Dashboard;
const { groups } = parse(read("monitoring/alerts.yml")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const panels = dashboard.panels.filter(({ type }) => type !== "row");
const page = read("monitoring.md");

const METRIC = /\b(?:curfew|nodejs|process)_[a-z0-9_]+/g;
const expressions = [
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
  ...dashboard.templating.list.flatMap(({ name, definition }) =>
    definition === undefined ? [] : [[name, definition] as const],
  ),
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
];

// Without an append-only file, so that there is a warning.
const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));
let samples: Samples;
beforeAll(async () => {
  await me(service.url, (await register(service.url)).access_token);
  await eventually(async () => {
    samples = await scrape(service.url);
    return [...samples.keys()].some((name) => name.startsWith("curfew_denylist_entries"));
  });
});

const namesGiven = () => new Set([...samples.keys()].map((sample) => sample.replace(/\{.*/, "")));

/** The labels that a metric's samples have, and those that Prometheus adds. */
const labelsOf = (metric: string) =>
  [...samples.keys()]
    .filter((sample) => sample.startsWith(`${metric}{`))
    .flatMap((sample) => [...sample.matchAll(/[{,](\w+)="/g)].map(([, label = ""]) => label))
    .concat("instance", "job");

it.each(expressions)("%s asks for what /metrics of a real service gives: %s", (_title, expr) => {
  const metrics = expr.match(METRIC) ?? [];
  expect(metrics).not.toEqual([]);
  expect(metrics.filter((name) => !namesGiven().has(name))).toEqual([]);
  for (const [, metric = "", selectors = ""] of expr.matchAll(/(\w+)\{([^}]*)\}/g)) {
    const labels = [...selectors.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label);
    expect(labels.filter((label) => !labelsOf(metric).includes(label ?? ""))).toEqual([]);
  }
  const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(", "));
  const known = metrics.flatMap(labelsOf);
  expect(grouped.filter((label) => !known.includes(label))).toEqual([]);
});

it("the dashboard shows every metric of Curfew's own, and the page says what each means", () => {
  const own = [...namesGiven()]
    .filter((name) => name.startsWith("curfew_"))
    .map((name) => name.replace(/_(bucket|sum|count)$/, ""));
  const shown = JSON.stringify(panels);
  for (const name of new Set(own)) {
    expect(shown).toContain(name);
    expect(page).toMatch(new RegExp(`^\\| \`${name}[\`{]`, "m"));
  }
});

it("the dashboard takes its data from whichever Prometheus is chosen", () => {
  expect(dashboard.templating.list).toContainEqual(
    expect.objectContaining({ name: "datasource", type: "datasource", query: "prometheus" }),
  );
  for (const { datasource, targets = [] } of panels) {
    expect(datasource?.uid).toBe("${datasource}");
    expect(targets.length).toBeGreaterThan(0);
    for (const target of targets) expect(target.datasource.uid).toBe("${datasource}");
  }
});

it("the page says what to do at each alert, and each says what has happened", () => {
  const headings = [...page.matchAll(/^### (\w+)$/gm)].map(([, heading]) => heading);
  expect(headings).toEqual(rules.map(({ alert }) => alert));
  for (const { labels, annotations } of rules) {
    expect(labels).toEqual({ severity: expect.stringMatching(/^(critical|warning)$/) as string });
    expect(annotations.summary).not.toBe("");
  }
});
