import type { Person } from "../accounts/directory";
import { countKeys } from "../redis/scan";
import { act, UNCHANGED } from "./acting";
import { confirm, isAttended } from "./ask";
import { EXIT, fail, print, printMuch } from "./command";
import { withDesk } from "./connection";
import { readPassword } from "./password";
import { createProgress } from "./progress";
import { createCommand, createStep } from "./step";
import { createTable, type Column } from "./table";
import { plain, plainJson } from "./terminal";

const USER = "USER is an id or an e-mail address.";
const ENDS = "All sessions of the user end at once.";
const REASON = { type: "string" } as const;
const ROLE = { type: "string", multiple: true } as const;

const COLUMNS: readonly Column[] = [
  { title: "ID", width: 36, isWhole: true },
  { title: "E-MAIL", width: 32 },
  { title: "ROLES", width: 16 },
  { title: "CREATED", width: 10, isWhole: true },
  { title: "DISABLED", width: 10, isWhole: true },
];

const add = createStep({
  line: "users add EMAIL [--role ROLE]… [--reason TEXT]",
  does: "Adds an account, and prints its id",
  more: "Asks for the password twice, or reads it from standard input: one line. It must be one that registration would accept.",
  examples: [
    ["users add ada@example.com --role ops", "the first of the ops staff"],
    ["users add bob@example.com < password.txt", "no roles, without asking"],
  ],
  options: { role: ROLE, reason: REASON },
  words: [1, 1],
  run: ({ words: [email = ""], options }, env) =>
    act(env, email, options, async ({ people }, actor) => {
      const password = await readPassword();
      if ("refused" in password) return fail(EXIT.misused, password.refused);
      const roles = splitRoles(options.role ?? []);
      const { id } = await people.add({ email, password: password.chosen, roles }, actor);
      return print(`${id}\n`);
    }),
});

const list = createStep({
  line: "users list [--search TEXT] [--json]",
  does: "Lists the accounts, in no order, as they are found",
  more: "TEXT is a part of the e-mail address, taken literally. --json prints a line of JSON for each account. If there is none, the exit code is 1.",
  examples: [
    ["users list --search @example.com", "everybody of one domain"],
    [`users list --json | jq 'select(.roles | index("ops"))'`, "the ops staff"],
  ],
  options: { search: { type: "string" }, json: { type: "boolean" } },
  words: [0, 0],
  run: ({ options: { search, json = false } }, env) =>
    withDesk(env, async ({ people, redis }) => {
      const progress = createProgress(await countKeys(redis));
      const row = createTable(COLUMNS);
      let count = 0;
      for await (const { people: found, looked } of people.list(search)) {
        if (found.length > 0) progress.clear();
        for (const person of found)
          await printMuch(json ? `${plainJson(jsonOf(person))}\n` : row(cellsOf(person)));
        count += found.length;
        progress.add(looked);
      }
      progress.clear();
      return count > 0 ? EXIT.done : fail(EXIT.missing, NOBODY_FOUND);
    }),
});

const grant = createStep({
  line: "users grant USER ROLE[,ROLE]… [--reason TEXT]",
  does: "Gives a user these roles in place of all others",
  more: `${USER} --role ROLE says the same as ROLE, and --no-roles takes all. ${ENDS}`,
  examples: [
    ["users grant ada@example.com ops,analyst", "exactly these two"],
    ["users grant ada@example.com --no-roles", "none"],
  ],
  options: { role: ROLE, "no-roles": { type: "boolean" }, reason: REASON },
  words: [1, Infinity],
  run({ words: [user = "", ...words], options }, env) {
    const given = [...words, ...(options.role ?? [])];
    const isNone = options["no-roles"] ?? false;
    if (given.length > 0 === isNone) return { wrong: "Say which roles, or --no-roles." };
    return act(env, user, options, async ({ people }, actor) => {
      const { email, roles } = await people.grant(user, splitRoles(given), actor);
      const has = roles.length === 0 ? "no roles" : `the roles ${roles.join(", ")}`;
      return print(`${plain(email)} has ${has}, and is logged out everywhere.\n`);
    });
  },
});

const disable = createStep({
  line: "users disable USER [--reason TEXT]",
  does: "Keeps a user from logging in",
  more: `${USER} ${ENDS} Somebody who tries to log in is told that the credentials are wrong.`,
  examples: [['users disable ada@example.com --reason "lost laptop, ticket 7"', "until `users enable`"]],
  options: { reason: REASON },
  words: [1, 1],
  run: ({ words: [user = ""], options }, env) =>
    act(env, user, options, async ({ people }, actor) => {
      const { email } = await people.disable(user, actor);
      return print(`${plain(email)} is disabled, and logged out everywhere.\n`);
    }),
});

const enable = createStep({
  line: "users enable USER [--reason TEXT]",
  does: "Lets a disabled user log in again",
  more: `${USER} No session comes back.`,
  examples: [["users enable ada@example.com", "may log in with the same password"]],
  options: { reason: REASON },
  words: [1, 1],
  run: ({ words: [user = ""], options }, env) =>
    act(env, user, options, async ({ people }, actor) => {
      const { email } = await people.enable(user, actor);
      return print(`${plain(email)} can log in.\n`);
    }),
});

const passwd = createStep({
  line: "users passwd USER [--reason TEXT]",
  does: "Sets a user's password",
  more: `${USER} Asks for the password twice, or reads it from standard input: one line. ${ENDS}`,
  examples: [
    ["users passwd ada@example.com", "asks for it"],
    ["users passwd ada@example.com < password.txt", "without asking"],
  ],
  options: { reason: REASON },
  words: [1, 1],
  run: ({ words: [user = ""], options }, env) =>
    act(env, user, options, async ({ people }, actor) => {
      const { email } = await people.find(user);
      const password = await readPassword();
      if ("refused" in password) return fail(EXIT.misused, password.refused);
      await people.setPassword(user, password.chosen, actor);
      return print(`${plain(email)} has a new password, and is logged out everywhere.\n`);
    }),
});

const remove = createStep({
  line: "users delete USER [--yes] [--reason TEXT]",
  does: "Deletes an account and frees its address",
  more: `${USER} ${ENDS} Asks to be sure, unless --yes is given; where nobody can be asked, --yes is needed.`,
  examples: [["users delete ada@example.com --yes", "without asking"]],
  options: { yes: { type: "boolean" }, reason: REASON },
  words: [1, 1],
  run({ words: [user = ""], options }, env) {
    if (!options.yes && !isAttended()) return { wrong: "This can't be undone, so it needs --yes." };
    return act(env, user, options, async ({ people }, actor) => {
      const question = `Delete the account ${plain(user)}, which can't be undone?`;
      if (!options.yes && !(await confirm(question))) return fail(EXIT.misused, UNCHANGED);
      const id = await people.delete(user, actor);
      return print(`The account ${id} is deleted, and its address is free.\n`);
    });
  },
});

/** Who may log in, of the accounts that Curfew keeps in Redis. */
export const users = createCommand({ add, list, grant, disable, enable, passwd, delete: remove });

const NOBODY_FOUND =
  "There is no such account. Accounts in an app's own table aren't here; `curfew users add` adds one.\n";

const splitRoles = (given: readonly string[]) => given.flatMap((each) => each.split(",")).filter(Boolean);

const cellsOf = ({ id, email, roles, createdAt, disabledAt }: Person) => [
  ...[id, email, roles.join(), dayOf(createdAt)],
  disabledAt === null ? "" : dayOf(disabledAt),
];

const dayOf = (time: string) => time.slice(0, 10);

const jsonOf = ({ id, email, roles, createdAt, disabledAt }: Person) => ({
  ...{ id, email, roles },
  created_at: createdAt,
  disabled_at: disabledAt,
});
