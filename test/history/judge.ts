import { findEndings } from "./endings";
import { isLoss, isSuccess, type Kind, type Operation } from "./operation";

/** A promise that was not kept. */
export type Finding = {
  rule: "accepted after its logout" | "refused for no reason" | "not an answer we give" | "waited too long";
  operation: Operation;
  /** How the session began. */
  opening?: Operation;
  /** The logout that was not one. */
  because?: Operation;
};

export type Judgement = {
  findings: Finding[];
  /** What was accepted after its logout, while that was allowed. */
  excused: Finding[];
};

const ANSWERS: Record<Kind, number[]> = {
  register: [201, 503],
  login: [200, 401, 503],
  refresh: [200, 401, 503],
  check: [200, 204, 401, 503],
  // Whoever holds a genuine token can log out, whatever became of its session.
  logout: [200, 204, 503],
  "logout of all devices": [200, 204, 401, 503],
  "end of a session": [204, 401, 404, 503],
  "end of the others": [204, 401, 503],
  flush: [200],
  loss: [200],
  calm: [200],
};
const LETS_IN: Kind[] = ["refresh", "check", "end of a session", "end of the others"];
const MAX_WAIT_MS = 10_000;

/**
 * Finds what must not be in a history, by when requests started and ended alone: what overlaps may have happened in
 * either order. `mayLose`: a login or a refresh may get lost, because the next primary had not heard of it.
 */
export function judge(history: readonly Operation[], { mayLose = false, stalenessMs = 0 } = {}): Judgement {
  const { sessions, endOf, mayEndAt, mayBeLost } = findEndings(history);
  const allowing = history.filter(({ allowanceMs }) => allowanceMs !== undefined);

  function isRefusedForNoReason(operation: Operation): boolean {
    const { kind, sid, status, code, endedAt } = operation;
    if (mayLose || status !== 401 || code === "token_expired") return false;
    if (kind === "login") return !mayBeLost(operation);
    const session = LETS_IN.includes(kind) ? sessions.get(sid ?? "") : undefined;
    return session !== undefined && endedAt < mayEndAt(session);
  }

  function find(operation: Operation): Finding[] {
    const { kind, sid, status, startedAt, endedAt } = operation;
    if (endedAt - startedAt > MAX_WAIT_MS && !isLoss(operation))
      return [{ rule: "waited too long", operation }];
    if (status !== undefined && !ANSWERS[kind].includes(status)) {
      return [{ rule: "not an answer we give", operation }];
    }
    if (isRefusedForNoReason(operation)) return [{ rule: "refused for no reason", operation }];
    const session = isSuccess(operation) && LETS_IN.includes(kind) ? sessions.get(sid ?? "") : undefined;
    const because = session && endOf(session);
    if (!session || !because || startedAt <= because.endedAt) return [];
    return [{ rule: "accepted after its logout", operation, opening: session.opening, because }];
  }

  /** While an instance can't have noticed yet that another Redis answers, or a Redis with another past. */
  const isUnnoticed = ({ rule, operation }: Finding) =>
    rule === "accepted after its logout" &&
    allowing.some(
      ({ startedAt, endedAt, allowanceMs = 0, instance = operation.instance }) =>
        instance === operation.instance &&
        operation.endedAt >= startedAt &&
        operation.startedAt <= endedAt + allowanceMs,
    );

  /** By the copy of an instance that hasn't heard of the logout. A refresh always asks Redis. */
  const isMirrored = ({ rule, operation, because }: Finding) =>
    rule === "accepted after its logout" &&
    because !== undefined &&
    operation.kind !== "refresh" &&
    operation.instance !== because.instance &&
    operation.startedAt <= because.endedAt + stalenessMs;

  const isExcused = (finding: Finding) => isUnnoticed(finding) || isMirrored(finding);

  const all = history.flatMap(find);
  return { findings: all.filter((each) => !isExcused(each)), excused: all.filter(isExcused) };
}
