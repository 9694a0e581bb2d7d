import type { Entry } from "../../ops/entries";
import type { Positions } from "../../ops/events";
import type { EntriesPlace, Filter, Page } from "../../ops/listing";
import type { KeylessOps } from "../../ops/ops";
import { countKeys } from "../../redis/scan";
import { EXIT, fail, printMuch } from "../command";
import { withDesk, type Desk } from "../connection";
import { createInterrupt } from "../interrupt";
import { createProgress } from "../progress";
import { createCommand, createStep } from "../step";
import { createTable, type Column } from "../table";
import { isTerminal, plainJson } from "../terminal";
import { agoOf, spanOf } from "../times";
import { HOW_TO_WRITE_TIMES, readSeconds } from "./given";
import { readKind, WRONG_KIND } from "./show";

const TEXT = { type: "string" } as const;
const LIMIT = 50;
const PAGE = 200;

const step = createStep({
  line: "revoked [--user USER] [--since TIME] … [--json]",
  does: "Lists what is denied, the newest first",
  more: `--user USER: a subject or an e-mail address. --kind token, session or user. --reason REASON, such as logout. --since TIME: ${HOW_TO_WRITE_TIMES} ago. --search TEXT: found anywhere in an entry, in any case, and taken literally. What no event tells of, such as entries written by hand, comes last. It stops after ${LIMIT}, unless --limit N or --all says otherwise. --json prints a line of JSON for each.`,
  examples: [
    ["revoked", "the newest fifty"],
    ["revoked --user ada@example.com --since 12h", ""],
    ["revoked --reason revoked_by_ops --all --json | jq -r .note", "what the ops staff gave as reasons"],
  ],
  options: {
    ...{ user: TEXT, kind: TEXT, reason: TEXT, since: TEXT, search: TEXT, limit: TEXT },
    ...{ all: { type: "boolean" }, json: { type: "boolean" } },
  },
  words: [0, 0],
  run({ options: { kind: name, since, limit, all = false, json = false, ...given } }, env) {
    const kind = name === undefined ? undefined : readKind(name);
    if (name !== undefined && !kind) return { wrong: WRONG_KIND };
    const from = since === undefined ? undefined : readSeconds(since, -1);
    if (since !== undefined && from === undefined) return { wrong: `--since: write ${HOW_TO_WRITE_TIMES}.` };
    if (limit !== undefined && (all || !/^[1-9]\d{0,8}$/.test(limit)))
      return { wrong: "--limit: write a number, and not --all, too." };
    const most = all ? Infinity : Number(limit ?? LIMIT);
    return withDesk(env, async (desk) => {
      const user = given.user === undefined ? undefined : await desk.ops.userIdOf(given.user);
      const filter: Filter = { kind, user, reason: given.reason, text: given.search };
      return list(
        desk,
        from === undefined ? filter : { ...filter, since: new Date(from * 1000) },
        most,
        json,
      );
    });
  },
});

/** What is denied. */
export const revoked = createCommand({ "": step });

async function list({ ops, redis }: Desk, filter: Filter, most: number, json: boolean): Promise<number> {
  const interrupt = createInterrupt();
  const total = (await ops.events.count()) + (await countKeys(redis));
  const progress = createProgress(total, "events and keys");
  const format = json ? (entry: Entry) => `${plainJson(entry)}\n` : createRows();
  let count = 0;
  for await (const { items, looked } of walk(ops.listing, filter)) {
    if (items.length > 0) progress.clear();
    for (const entry of items.slice(0, most - count)) await printMuch(format(entry));
    count += items.length;
    progress.add(looked);
    if (interrupt.isStopped || count > most) break;
  }
  progress.clear();
  if (interrupt.isStopped) return fail(EXIT.interrupted, `Stopped. ${progress.stopped()}`);
  if (count > most) return fail(EXIT.done, `There are more: --all, or --limit.\n`);
  return count > 0 ? EXIT.done : fail(EXIT.done, "Nothing like that is denied.\n");
}

/** Everything once: what the events tell of, newest first, and then the rest as it is found. */
async function* walk({ newest, all }: KeylessOps["listing"], filter: Filter) {
  const seen = new Set<string>();
  const fresh = (items: Entry[]) => items.filter(({ key }) => !seen.has(key) && seen.add(key));
  for await (const { items, progress } of pagesOf((from?: Positions) => newest(filter, PAGE, from)))
    yield { items: fresh(items), looked: progress.looked };
  let before = 0;
  for await (const { items, progress } of pagesOf((from?: EntriesPlace) => all(filter, PAGE, from))) {
    yield { items: fresh(items), looked: progress.looked - before };
    before = progress.looked;
  }
}

async function* pagesOf<Where>(read: (from: Where | undefined) => Promise<Page<Where>>) {
  let from: Where | undefined;
  do {
    const page: Page<Where> = await read(from);
    yield page;
    from = page.next;
  } while (from !== undefined);
}

/** On a terminal, times are as short as can be; in a file, which is read later, they say when. */
function createRows(): (entry: Entry) => string {
  const isShown = isTerminal(process.stdout);
  const columns: Column[] = [
    { title: "KIND", width: 7, isWhole: true },
    { title: "ID", width: 36, isWhole: true },
    { title: "USER", width: 36 },
    { title: "REASON", width: 18 },
    { title: isShown ? "AGO" : "REVOKED", width: isShown ? 6 : 24, isWhole: true },
    { title: isShown ? "LEFT" : "UNTIL", width: isShown ? 6 : 24, isWhole: true },
  ];
  const row = createTable(columns);
  const agoIn = (time: string) => (isShown ? agoOf(time).replace(" ago", "") : time);
  const leftIn = (time: string) => (isShown ? spanOf(Date.parse(time) - Date.now()) : time);
  return ({ kind, id, sub, reason, revoked_at, expires_at }) =>
    row([
      ...[kind, id, sub ?? "-", reason ?? "-"],
      revoked_at === null ? "-" : agoIn(revoked_at),
      expires_at === null ? "no end" : leftIn(expires_at),
    ]);
}
