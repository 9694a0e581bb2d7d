import type { Reason } from "./entry";

/** The audit trail: a stream that says who ended or revoked what, when, why and from where. */
export const eventsKey = (prefix: string) => `${prefix}events`;

export const EVENTS_KEPT = 100_000;

export type StreamEvent =
  | Reason
  | "lifted"
  | "user_added"
  | "user_roles_changed"
  | "user_disabled"
  | "user_enabled"
  | "user_password_set"
  | "user_deleted"
  | "refresh_ahead"
  | "revoked_token_used"
  | "denylist_began"
  | "denylist_lost";

/** When each event is written. `docs/events.md` is printed from this table. */
export const STREAM_EVENTS: Readonly<Record<StreamEvent, string>> = {
  logout: "Somebody logged out on this device.",
  logout_all_devices: "Somebody logged out everywhere.",
  session_ended: "Somebody ended another session of theirs, or all others.",
  password_changed: "A change of password ended the sessions from before.",
  refresh_reused: "A refresh token was used a second time, which ended its session.",
  revoked_by_client: "A client at `/oauth/revoke`, or the app that mounts Curfew, revoked it.",
  revoked_by_ops: "Somebody of the ops staff revoked it; `by` says who, `note` why.",
  logout_at_issuer: "The issuer told us that its user logged out there; `by` names the issuer.",
  lifted: "Somebody of the ops staff deleted an entry; `by` says who, `note` why.",
  user_added: "Somebody of the ops staff added an account; `by` says who, `note` why. So in the next five.",
  user_roles_changed: "The account got other roles, and its sessions are ended.",
  user_disabled: "The account may no longer log in, and its sessions are ended.",
  user_enabled: "The account may log in again.",
  user_password_set: "The account got another password, and its sessions are ended.",
  user_deleted: "The account is gone, and its address is free.",
  refresh_ahead: "A refresh token was newer than Redis knew: Redis went back in time. It was accepted.",
  revoked_token_used: "A revoked token was used; once a minute for each, from all instances together.",
  denylist_began: "The denylist began to remember, in a Redis that held none.",
  denylist_lost: "Redis forgot what was revoked, and a new epoch began: everything from before is refused.",
};

/** Whether the first of two stream ids was written after the second. */
export function isLater(one: string, other: string): boolean {
  const [ms = 0, count = 0] = one.split("-").map(Number);
  const [otherMs = 0, otherCount = 0] = other.split("-").map(Number);
  return ms === otherMs ? count > otherCount : ms > otherMs;
}
