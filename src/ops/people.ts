import { join } from "node:path";
import { normaliseEmail, userKey, type Accounts } from "../accounts/accounts";
import type { Batch, Directory, Person } from "../accounts/directory";
import type { Passwords } from "../accounts/passwords";
import { contextOf, NOBODY } from "../denylist/entry";
import type { StreamEvent } from "../denylist/events";
import { readWritingScript, type Writer } from "../denylist/writer";
import { CurfewError } from "../errors";
import type { Shards } from "../redis/shards";
import type { Session } from "../sessions/records";
import type { Sessions } from "../sessions/sessions";
import type { Actor } from "./changes";

/**
 * The accounts in Redis, as ops staff manage them. `user` is an id or an e-mail address; where there is no such account,
 * each throws `not_found`. A change is told in `curfew:events`. One that takes something away first changes the account
 * and then ends its sessions: if it fails in between, nobody gets in anew, and running it again completes it.
 */
export type People = {
  /** Throws `email_taken`, or `invalid_request` for what registration would refuse, too. */
  add(account: NewAccount, actor: Actor): Promise<Person>;
  find(user: string): Promise<Person>;
  list(search?: string): AsyncGenerator<Batch, void>;
  /** Replaces the roles, and ends all sessions. */
  grant(user: string, roles: readonly string[], actor: Actor): Promise<Person>;
  /** Keeps the account from logging in and refreshing, and ends all sessions. */
  disable(user: string, actor: Actor): Promise<Person>;
  /** Lets the account log in again. No session comes back. */
  enable(user: string, actor: Actor): Promise<Person>;
  /** Sets the password, and ends all sessions. */
  setPassword(user: string, password: string, actor: Actor): Promise<Person>;
  /** Throws `invalid_request` if a new password for this account would be refused. */
  assertAcceptable(password: string, email: string): void;
  /** Ends all sessions, frees the address and deletes the account. Returns the account's id. */
  delete(user: string, actor: Actor): Promise<string>;
  /** The live sessions, oldest first; also of an id whose account is in an app's own table. */
  sessions(user: string): Promise<Session[]>;
};

type NewAccount = { email: string; password: string; roles: readonly string[] };

type PeopleParts = {
  accounts: Pick<Accounts, "create">;
  directory: Directory;
  passwords: Passwords;
  sessions: Pick<Sessions, "endAll" | "list">;
  writer: Pick<Writer, "revoke">;
  shards: Shards;
};

/** `add`: a value that is there stays. */
type Change =
  | { how: "set"; member: "roles" | "password_hash"; value: string }
  | { how: "add"; member: "disabled_at"; value: string }
  | { how: "remove"; member: "disabled_at" };

const CHANGE = readWritingScript(join(__dirname, "change-account.lua"));
const DELETE = readWritingScript(join(__dirname, "delete-account.lua"));

export function createPeople(parts: PeopleParts): People {
  const { accounts, directory, passwords, sessions, writer, shards } = parts;

  async function change(id: string, event: StreamEvent, changed: Change, actor: Actor): Promise<Person> {
    const verdict = await writer.revoke(contextOf(id, actor), {
      script: CHANGE,
      keys: () => [userKey(shards, id)],
      args: () => ({ event, ...changed }),
    });
    if (verdict === "missing") throw notFound();
    return found(id);
  }

  async function found(id: string): Promise<Person> {
    const person = await directory.find(id);
    if (!person) throw notFound();
    return person;
  }

  const idOf = async (user: string) => (await directory.idOf(user)) ?? user;

  const endAll = (id: string, { requester = NOBODY, ...said }: Actor) =>
    sessions.endAll(id, "revoked_by_ops", requester, said);

  async function changeAndEndAll(
    user: string,
    event: StreamEvent,
    changed: Change,
    actor: Actor,
  ): Promise<Person> {
    const person = await change(await idOf(user), event, changed, actor);
    await endAll(person.id, actor);
    return person;
  }

  function assertAcceptable(password: string, email: string): void {
    const objection = passwords.objection(password, email);
    if (objection) throw invalid("password", objection);
  }

  const disable = (user: string, actor: Actor) =>
    changeAndEndAll(user, "user_disabled", { how: "add", member: "disabled_at", value: now() }, actor);

  return {
    async add({ email, password, roles }, actor) {
      const address = normaliseEmail(email);
      if (!address) throw invalid("email", "must be an e-mail address");
      const value = joinRoles(roles);
      assertAcceptable(password, address);
      const { id } = await accounts.create(address, await passwords.hash(password));
      // The roles come with the event: nobody has one that the events don't tell of.
      return change(id, "user_added", { how: "set", member: "roles", value }, actor);
    },

    find: async (user) => found(await idOf(user)),
    list: (search) => directory.list(search),
    disable,
    assertAcceptable,

    async grant(user, roles, actor) {
      const value = joinRoles(roles);
      return changeAndEndAll(user, "user_roles_changed", { how: "set", member: "roles", value }, actor);
    },

    async enable(user, actor) {
      const person = await found(await idOf(user));
      if (person.disabledAt === null) return person;
      // Again, because disabling may have failed before it had ended them, and none may come back.
      await endAll(person.id, actor);
      return change(person.id, "user_enabled", { how: "remove", member: "disabled_at" }, actor);
    },

    async setPassword(user, password, actor) {
      const { id, email } = await found(await idOf(user));
      assertAcceptable(password, email);
      const value = await passwords.hash(password);
      return changeAndEndAll(id, "user_password_set", { how: "set", member: "password_hash", value }, actor);
    },

    // Whatever is done already when it is run again, or by somebody else, is skipped. The account goes last, so that it
    // can be named by its id until everything else is done.
    async delete(user, actor) {
      const id = await idOf(user);
      const person = await directory.find(id);
      if (person) await disable(id, actor);
      const released = await directory.releaseEmail(person?.email ?? user, id);
      const verdict = await writer.revoke(contextOf(id, actor), {
        script: DELETE,
        keys: () => [userKey(shards, id)],
        args: () => ({ event: "user_deleted" satisfies StreamEvent }),
      });
      if (verdict === "missing" && !released) throw notFound();
      return id;
    },

    async sessions(user) {
      const id = await idOf(user);
      const live = await sessions.list(id);
      if (live.length === 0) await found(id);
      return live;
    },
  };
}

const ROLE = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** Roles are kept with commas between them. */
function joinRoles(roles: readonly string[]): string {
  if (roles.every((role) => ROLE.test(role))) return [...new Set(roles)].join();
  throw invalid(
    "roles",
    "must have 1 to 32 lower-case letters, digits, - or _ each, and begin with a letter or digit",
  );
}

const now = () => new Date().toISOString();
const notFound = () => new CurfewError("not_found");
const invalid = (path: string, message: string) =>
  new CurfewError("invalid_request", { details: [{ path, message }] });
