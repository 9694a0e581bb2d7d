import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];
const LINE_MAX = 120;
const README_LINES_MAX = 150;

const textOf = (page: string) => readFileSync(page, "utf8");

/** A page without its code blocks, whose lines are left empty. */
const proseOf = (page: string) =>
  textOf(page).replace(/^( *)```[\s\S]*?^\1```$/gm, (block) => block.replace(/.+/g, ""));

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  const headings = [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

const linksOf = (page: string) =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));

function leadsNowhere(page: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page : join(dirname(page), path);
  return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
}

const isTooLong = (line: string) => line.length > LINE_MAX && !line.startsWith("|") && !/https?:/.test(line);

describe.each(PAGES)("%s", (page) => {
  it("has links and anchors that lead somewhere", () => {
    expect(linksOf(page).filter((link) => leadsNowhere(page, link))).toEqual([]);
  });

  it("gives each heading an anchor of its own", () => {
    const anchors = anchorsOf(page);
    expect(new Set(anchors).size).toBe(anchors.length);
  });

  it("has no line that is too long to read", () => {
    expect(proseOf(page).split("\n").filter(isTooLong)).toEqual([]);
  });
});

it("every page is reached from the README", () => {
  const reached = linksOf("README.md").map((link) => link.replace(/#.*/, ""));
  expect(reached).toEqual(expect.arrayContaining(PAGES.filter((page) => page !== "README.md")));
});

it("the README is read in three minutes", () => {
  expect(textOf("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(README_LINES_MAX);
});

it("CONTRIBUTING names files and folders that are there", () => {
  const named = [...textOf("CONTRIBUTING.md").matchAll(/`((?:src|test|scripts|docs)\/[\w./-]*)`/g)];
  const paths = named.map(([, path = ""]) => path);
  expect(paths.length).toBeGreaterThan(15);
  expect(paths.filter((path) => !existsSync(path))).toEqual([]);
});
