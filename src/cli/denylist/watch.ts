import { CurfewError, loggable } from "../../errors";
import type { Event, Positions } from "../../ops/events";
import type { KeylessOps } from "../../ops/ops";
import { EXIT, printMuch } from "../command";
import { withDesk } from "../connection";
import { createInterrupt, type Interrupt } from "../interrupt";
import { createCommand, createStep } from "../step";
import { cut, isTerminal, plain, plainJson } from "../terminal";

const POLL_MS = 250;
const AT_ONCE = 100;

const step = createStep({
  line: "watch [--from-start] [--json]",
  does: "Shows events as they happen, one line each, until Ctrl-C",
  more: "While Redis is away it waits, and then goes on where it was. --from-start begins with the oldest event there is. --json prints a line of JSON for each.",
  examples: [
    ["watch", ""],
    [`watch --json | jq 'select(.event == "revoked_token_used")'`, "only the alarms"],
  ],
  options: { "from-start": { type: "boolean" }, json: { type: "boolean" } },
  words: [0, 0],
  run: ({ options: { "from-start": fromStart = false, json = false } }, env) =>
    withDesk(env, async ({ ops: { events } }) => {
      const place = fromStart ? events.beginning : await events.last(0);
      const interrupt = createInterrupt();
      await follow(events, place, interrupt, json ? toJson : toText);
      return EXIT.interrupted;
    }),
});

/** The events as they happen. */
export const watch = createCommand({ "": step });

async function follow(
  events: KeylessOps["events"],
  start: Positions,
  interrupt: Interrupt,
  format: (event: Event) => string,
): Promise<void> {
  let place = start;
  const after = tellingOutages(() => events.after(place, AT_ONCE));
  while (!interrupt.isStopped) {
    const batch = await after();
    for (const { event } of batch?.events ?? []) await printMuch(format(event));
    place = batch?.events.at(-1)?.to ?? place;
    if (!batch?.next) await interrupt.sleep(POLL_MS);
  }
}

/** Resolves to undefined while Redis is away, and says so when that begins and ends. */
function tellingOutages<T>(ask: () => Promise<T>): () => Promise<T | undefined> {
  let isAway = false;
  return async () => {
    try {
      const answer = await ask();
      if (isAway) process.stderr.write("Redis is back.\n");
      isAway = false;
      return answer;
    } catch (error) {
      if (!(error instanceof CurfewError && error.code === "denylist_unavailable")) throw error;
      const cause = error.cause instanceof Error ? loggable(error.cause) : "unknown";
      if (!isAway) process.stderr.write(`Redis can't be reached: ${cause}. Waiting for it.\n`);
      isAway = true;
      return undefined;
    }
  };
}

const toJson = (event: Event) => `${plainJson(event)}\n`;

/** Long enough for the longest name of an event. */
const NAME_WIDTH = 18;

function toText({ timestamp, event, sub, sid, jti, by, ip, user_agent, note }: Event): string {
  const rows = [
    ...[timestamp ?? "-", event.padEnd(NAME_WIDTH)],
    ...[sub && `user ${sub}`, sid && `session ${sid}`, jti && `token ${jti}`],
    ...[by && by !== sub && `by ${by}`, ip && `from ${ip}`, user_agent, note && `(${note})`],
  ];
  const line = plain(rows.filter(Boolean).join("  ")).trimEnd();
  return `${isTerminal(process.stdout) ? cut(line, process.stdout.columns || 80) : line}\n`;
}
