import type { NamedTarget, Target } from "../../ops/targets";
import { actorOf, objectionToReason, tellRefusal, UNCHANGED } from "../acting";
import { confirm, isAttended } from "../ask";
import { EXIT, fail, print } from "../command";
import { withDesk, withKeyedDesk } from "../connection";
import type { Kind } from "../../denylist/entry";
import { createCommand, createStep } from "../step";
import { plain, plainJson } from "../terminal";
import { askForPasted, HOW_TO_WRITE_TIMES, objectionToId, readPasted, readSeconds } from "./given";

type Options = {
  token?: string | undefined;
  jti?: string | undefined;
  expires?: string | undefined;
  session?: string | undefined;
  user?: string | undefined;
};

type Wrong = { wrong: string };

const TEXT = { type: "string" } as const;

const step = createStep({
  line: "revoke --token|--jti|--session|--user … --reason TEXT [--yes]",
  does: "Revokes a token, a session, or everything that a user has",
  more: `--token TOKEN: a token as it was found; with -, it is read from standard input or asked for. It is never shown, and its session lives on. --jti JTI [--expires TIME]: a token by its id; the entry lives until TIME (${HOW_TO_WRITE_TIMES} from now), or else as long as a new token would. --session SID: a session with all its tokens. --user USER: everything that a subject or an e-mail address has; asks to be sure, unless --yes is given, and where nobody can be asked, --yes is needed. What is an issuer's begins with its name: clerk:sess_1. --reason becomes the entry's note. --json prints what was revoked.`,
  examples: [
    ['revoke --token - --reason "pasted into a chat"', "asks for the token"],
    ['revoke --jti 0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11 --expires 15m --reason "seen in a log"', ""],
    ['revoke --user ada@example.com --reason "lost laptop, ticket 7" --yes', "without asking"],
  ],
  options: {
    ...{ token: TEXT, jti: TEXT, expires: TEXT, session: TEXT, user: TEXT, reason: TEXT },
    ...{ yes: { type: "boolean" }, json: { type: "boolean" } },
  },
  words: [0, 0],
  async run({ options: { reason = "", yes = false, json = false, ...named } }, env) {
    if (reason.trim() === "") return { wrong: "Say why, with --reason." };
    const wrong = objectionToReason(reason);
    if (wrong !== undefined) return { wrong };
    const target = await readTarget(named);
    if ("wrong" in target) return target;
    const isBulk = "user" in target && !yes;
    if (isBulk && !isAttended()) return { wrong: "This logs a user out everywhere, so it needs --yes." };
    if (isBulk && !(await confirm(`Revoke everything that ${plain(target.user)} has?`)))
      return fail(EXIT.misused, UNCHANGED);
    return revokeTarget(env, target, reason, json ? toJson : toText);
  },
});

/** Denies what somebody has. */
export const revoke = createCommand({ "": step });

/** Only a token itself needs the service's keys. */
function revokeTarget(
  env: NodeJS.ProcessEnv,
  target: Target,
  reason: string,
  format: (kind: Kind, id: string) => string,
): Promise<number> | number {
  const told = (done: Promise<{ kind: Kind; id: string }>) =>
    done.then(
      ({ kind, id }) => print(format(kind, id)),
      (error: unknown) => tellRefusal(error, { missing: `${nothingTo(target)}${UNCHANGED}` }),
    );
  if ("token" in target)
    return withKeyedDesk(env, (desk) => told(desk.ops.revoke(target, actorOf(desk, reason))));
  const named: NamedTarget = target;
  return withDesk(env, (desk) => told(desk.ops.revoke(named, actorOf(desk, reason))));
}

async function readTarget({ token, jti, expires, session, user }: Options): Promise<Target | Wrong> {
  const given = [token, jti, session, user].filter((each) => each !== undefined);
  if (given.length !== 1) return { wrong: "Name one of --token, --jti, --session and --user." };
  if (expires !== undefined && jti === undefined) return { wrong: "--expires belongs to --jti." };
  if (token !== undefined) return readToken(token);
  const wrong = objectionToId(given[0] ?? "");
  if (wrong !== undefined) return { wrong };
  if (session !== undefined) return { session };
  if (user !== undefined) return { user };
  const exp = expires === undefined ? undefined : readSeconds(expires, 1);
  const isRight = expires === undefined || (exp !== undefined && exp > Date.now() / 1000);
  return isRight
    ? { jti: jti ?? "", exp }
    : { wrong: `--expires: write ${HOW_TO_WRITE_TIMES}, in the future.` };
}

async function readToken(text: string): Promise<Target | Wrong> {
  const pasted = text === "-" ? await askForPasted() : readPasted(text);
  return "token" in pasted ? pasted : { wrong: "That isn't a token. --jti revokes one by its id." };
}

const nothingTo = (target: Target) =>
  "user" in target
    ? `There is no user ${plain(target.user)}: no account here, and no session. `
    : "There is no such session, or it is over. ";

const toJson = (kind: Kind, id: string) => `${plainJson({ revoked: true, kind, id })}\n`;

const WHAT_FOLLOWS: Record<Kind, string> = {
  token: "Its session lives on, and can be refreshed: `curfew revoke --session` ends that.",
  session: "Its refresh token is dead, and so are all its access tokens.",
  user: "They are logged out everywhere, and can log in again: `curfew users disable` keeps them from it.",
};

const toText = (kind: Kind, id: string) => `Revoked: ${kind} ${plain(id)}. ${WHAT_FOLLOWS[kind]}\n`;
