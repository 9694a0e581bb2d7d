import type { Session } from "../sessions/records";
import { aboutAccount, tellRefusal } from "./acting";
import { EXIT, fail, print } from "./command";
import { withDesk } from "./connection";
import { createCommand, createStep } from "./step";
import { formatTable, type Column } from "./table";
import { isTerminal, plain, plainJson } from "./terminal";
import { agoOf } from "./times";

const COLUMNS: readonly Column[] = [
  { title: "ID", width: 0, isWhole: true },
  { title: "DEVICE", width: 0 },
  { title: "ADDRESS", width: 0 },
  { title: "CREATED", width: 0, isWhole: true },
  { title: "LAST USED", width: 0, isWhole: true },
];

const list = createStep({
  line: "sessions USER [--json]",
  does: "Lists a user's sessions, the oldest first, with device and last use",
  more: "USER is an id or an e-mail address; of a user in an app's own table, the id. The device is what it calls itself, and may lie. --json prints an array.",
  examples: [
    ["sessions ada@example.com", ""],
    ["sessions ada@example.com --json | jq -r '.[].id'", "the ids alone"],
  ],
  options: { json: { type: "boolean" } },
  words: [1, 1],
  run: ({ words: [user = ""], options: { json = false } }, env) =>
    withDesk(env, async ({ people }) => {
      try {
        const live = await people.sessions(user);
        if (json) return print(`${plainJson(live.map(jsonOf))}\n`);
        if (live.length === 0) return fail(EXIT.done, `${plain(user)} is logged in nowhere.\n`);
        return print(formatTable(COLUMNS, live.map(cellsOf)));
      } catch (error) {
        return tellRefusal(error, aboutAccount(user));
      }
    }),
});

/** Where somebody is logged in. */
export const sessions = createCommand({ "": list });

const cellsOf = ({ id, userAgent, ip, createdAt, lastUsedAt }: Session) => [
  ...[id, userAgent ?? "-", ip ?? "-"],
  ...[createdAt, lastUsedAt].map(timeOf),
];

/** How long ago on a terminal, where it must be short; in a file, which is read later, when. */
const timeOf = (time: string) => (isTerminal(process.stdout) ? agoOf(time) : time);

const jsonOf = ({ id, createdAt, lastUsedAt, expiresAt, ip, userAgent }: Session) => ({
  id,
  created_at: createdAt,
  last_used_at: lastUsedAt,
  expires_at: expiresAt,
  ip,
  user_agent: userAgent,
});
