import type { Logger } from "pino";

type Row = {
  level: "debug" | "info" | "warn" | "error";
  /** Which field has the name: `event`, for lines that ops may want to be notified of, or only `msg`. */
  namedBy: "event" | "msg";
  /** When it is logged; for the documentation. */
  when: string;
};

/** Every line that is logged. `docs/events.md` is printed from it. */
const ROWS = {
  registered: { namedBy: "event", level: "info", when: "Somebody opened an account." },
  login: { namedBy: "event", level: "info", when: "Somebody logged in." },
  login_failed: { namedBy: "event", level: "warn", when: "The e-mail address or the password was wrong." },
  logout: { namedBy: "event", level: "info", when: "Somebody logged out; `devices` is `this` or `all`." },
  session_ended: {
    namedBy: "event",
    level: "info",
    when: "Somebody ended another session of theirs, or all others.",
  },
  password_changed: {
    namedBy: "event",
    level: "info",
    when: "Somebody changed their password, which ended their sessions.",
  },
  logout_at_issuer: {
    namedBy: "event",
    level: "info",
    when: "An issuer told us at `/oauth/backchannel-logout` that somebody logged out there; `issuer` is its name, `sid` or `sub` what was ended.",
  },
  revoked_by_client: {
    namedBy: "event",
    level: "info",
    when: "A client revoked a token at `/oauth/revoke`; `client` is its id.",
  },
  revoked_by_ops: {
    namedBy: "event",
    level: "info",
    when: "Somebody of the ops staff revoked a token, a session or a user (`kind` and `id`); `by` says who, `note` why.",
  },
  lifted: {
    namedBy: "event",
    level: "info",
    when: "Somebody of the ops staff deleted an entry (`kind` and `id`); `by` says who, `note` why.",
  },
  client_refused: {
    namedBy: "event",
    level: "warn",
    when: "A client's id or secret was wrong; `client` is its id, or `unknown`.",
  },
  refresh_reused: {
    namedBy: "event",
    level: "warn",
    when: "A refresh token was used a second time, which ended its session: somebody may have stolen it.",
  },
  revoked_token_used: {
    namedBy: "event",
    level: "warn",
    when: "A revoked token was used: somebody may have stolen it. Logged at once, then once a minute for as long as it goes on; `uses` is how many uses the line stands for, `total` how many this process has refused.",
  },
  cross_site_request: {
    namedBy: "event",
    level: "warn",
    when: "A page of another site tried to act with its visitor's cookies, and was refused.",
  },
  rate_limited: {
    namedBy: "event",
    level: "warn",
    when: "Somebody made too many attempts; `limit` names the limit.",
  },
  denylist_lost: {
    namedBy: "event",
    level: "error",
    when: "Redis forgot what was revoked, so everything issued before is refused and everybody has to log in again.",
  },
  request: {
    namedBy: "msg",
    level: "info",
    when: "A request was answered, or refused with `code`; `status` is null if the client had disconnected before.",
  },
  "token refused": {
    namedBy: "msg",
    level: "debug",
    when: "A token with a good signature was refused because of what it says: `rule` names the claim that is wrong, such as `aud`, `typ` or `lifetime`. The client isn't told.",
  },
  failed: {
    namedBy: "msg",
    level: "error",
    when: "A request was answered with a 5xx; `cause` says why, under its `request_id`.",
  },
  listening: {
    namedBy: "msg",
    level: "info",
    when: "The service accepts connections, at `port`. Logged at every `LOG_LEVEL`.",
  },
  stopping: { namedBy: "msg", level: "info", when: "The service received a `signal`, and stops." },
  keys: {
    namedBy: "msg",
    level: "info",
    when: "At start: `signs` is the id of the key that signs, `verify` the ids of all accepted keys.",
  },
  "redis is ready": { namedBy: "msg", level: "info", when: "Redis can be reached, at first or again." },
  "redis can't be reached": {
    namedBy: "msg",
    level: "error",
    when: "Redis can't be reached. Logged once for each `cause`, until it is back.",
  },
  warning: {
    namedBy: "msg",
    level: "warn",
    when: "Redis answers, but something is wrong: the message says what; `warning` is its code, as in `/readyz`.",
  },
  "warning cleared": {
    namedBy: "msg",
    level: "info",
    when: "The warning with this code no longer applies.",
  },
  "the mirror is fresh": {
    namedBy: "msg",
    level: "info",
    when: "With `DENYLIST_MODE=mirror`: from now on clean checks are answered from a copy of `entries` entries. Logged again whenever it had to begin anew.",
  },
  "the mirror can't follow Redis": {
    namedBy: "msg",
    level: "warn",
    when: "Redis doesn't know client tracking (before version 6), or doesn't allow it to Curfew's user: every check asks Redis, as in direct mode. It is tried again every few seconds.",
  },
  "the issuer's keys were fetched": {
    namedBy: "msg",
    level: "info",
    when: "The keys of `issuer` were fetched for the first time, or again after a failure.",
  },
  "the issuer's keys can't be fetched": {
    namedBy: "msg",
    level: "error",
    when: "Fetching the keys of `issuer` failed. Logged once for each `cause`.",
  },
  "a key can't be used": {
    namedBy: "msg",
    level: "warn",
    when: "`issuer` publishes a key that isn't accepted, for the `reason`.",
  },
  "a listener of onRevoked failed": {
    namedBy: "msg",
    level: "error",
    when: "A function that an app passed to `onRevoked` threw an error.",
  },
  "onRevoked waits until Redis can be reached": {
    namedBy: "msg",
    level: "warn",
    when: "Redis can no longer be asked for new revocations; `onRevoked` delivers them once it can.",
  },
} satisfies Record<string, Row>;

export type LogEvent = keyof typeof ROWS;

export const LOG_EVENTS: Readonly<Record<LogEvent, Readonly<Row>>> = ROWS;

/** Logs an event at its level. The message is the event's name unless another is given. */
export function logEvent(log: Logger, name: LogEvent, about: object = {}, message: string = name): void {
  const { level, namedBy } = LOG_EVENTS[name];
  log[level]({ ...(namedBy === "event" && { event: name }), ...about }, message);
}
