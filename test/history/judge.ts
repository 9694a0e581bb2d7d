import { isOpen, isSuccess, type Kind, type Operation } from "./operation";

/** A promise that was not kept. */
export type Finding = {
  rule: "accepted after its logout" | "refused for no reason" | "not an answer we give" | "waited too long";
  operation: Operation;
  /** How the session began. */
  opening?: Operation;
  /** The logout that was not one. */
  because?: Operation;
};

type Session = { sid: string; user: string; opening: Operation };

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
  calm: [200],
};
const LETS_IN: Kind[] = ["refresh", "check", "end of a session", "end of the others"];
const MAX_WAIT_MS = 10_000;
const SESSIONS_PER_USER = 100;
/** How long after a calm began to reign something that was sent before may still arrive. */
const STRAGGLERS_MS = 1000;

/**
 * Finds what must not be in a history, by when requests started and ended alone: what overlaps may have happened in
 * either order. `mayLose`: a login or a refresh may get lost, because the next primary had not heard of it.
 */
export function judge(history: readonly Operation[], { mayLose = false } = {}): Finding[] {
  const sessions = new Map<string, Session>();
  for (const operation of history) {
    const { kind, user, sid } = operation;
    if (sid !== undefined && isOpening(kind) && isSuccess(operation))
      sessions.set(sid, { sid, user, opening: operation });
  }
  const endings = indexByUser(history.filter(({ ends }) => ends));
  const openings = indexByUser(history.filter(({ kind }) => isOpening(kind)));
  const flushes = history.filter(({ kind }) => kind === "flush");
  const calms = history.filter(({ kind }) => kind === "calm").sort(byStart);
  const endingsOf = ({ user }: { user: string }) => [...(endings.get(user) ?? []), ...flushes];

  /** Until when an operation may happen of which nobody knows whether it did. */
  const lateEndOf = memo((operation: Operation) => {
    if (!isOpen(operation)) return operation.endedAt;
    const calm = calms.find(({ startedAt }) => startedAt >= operation.endedAt);
    return calm ? calm.endedAt + STRAGGLERS_MS : Infinity;
  });

  function mayEnd(ending: Operation, { sid, opening }: Session): boolean {
    const { kind, ends, status } = ending;
    // A token that was refused ended nothing; but what a logout names, it ends in any case.
    if ((status === 401 || status === 404) && !kind.startsWith("logout")) return false;
    if (ends?.sids.includes(sid)) return true;
    if (kind !== "flush" && (!ends?.all || ends.spares === sid || status === 401)) return false;
    return opening.startedAt < lateEndOf(ending);
  }

  /** A credential that was ended with all devices gets its success again, and then ends nothing more. */
  function endsAll(ending: Operation): boolean {
    if (ending.kind !== "logout of all devices") return true;
    const session = sessions.get(ending.sid ?? "");
    return (
      session !== undefined &&
      !endingsOf(session).some(
        (other) => other !== ending && other.startedAt < ending.endedAt && mayEnd(other, session),
      )
    );
  }
  const endingAll = new Set(history.filter((each) => each.ends?.all && isSuccess(each) && endsAll(each)));

  function ends(ending: Operation, { sid, opening }: Session): boolean {
    if (!isSuccess(ending)) return false;
    if (ending.ends?.sids.includes(sid)) return true;
    if (opening.endedAt >= ending.startedAt) return false;
    return ending.kind === "flush" || (endingAll.has(ending) && ending.ends?.spares !== sid);
  }

  /** The first operation after whose end the session must be over. */
  const endOf = memo((session: Session) =>
    endingsOf(session)
      .filter((ending) => ends(ending, session))
      .reduce<Operation | undefined>(
        (first, each) => (first && first.endedAt <= each.endedAt ? first : each),
        undefined,
      ),
  );

  /** From when on the session may be over. */
  const mayEndAt = memo((session: Session) => {
    const later = (openings.get(session.user) ?? [])
      .filter(({ endedAt }) => endedAt > session.opening.endedAt)
      .sort(byStart);
    return Math.min(
      later[SESSIONS_PER_USER - 1]?.startedAt ?? Infinity,
      ...endingsOf(session)
        .filter((ending) => mayEnd(ending, session))
        .map(({ startedAt }) => startedAt),
    );
  });

  /** An account is lost with a flush, and with nothing else. */
  const mayBeLost = ({ user, endedAt }: Operation) => {
    const registered = (openings.get(user) ?? []).find(({ kind }) => kind === "register");
    return flushes.some((flush) => flush.startedAt < endedAt && flush.endedAt > (registered?.startedAt ?? 0));
  };

  function isRefusedForNoReason(operation: Operation): boolean {
    const { kind, sid, status, code, endedAt } = operation;
    if (mayLose || status !== 401 || code === "token_expired") return false;
    if (kind === "login") return !mayBeLost(operation);
    const session = LETS_IN.includes(kind) ? sessions.get(sid ?? "") : undefined;
    return session !== undefined && endedAt < mayEndAt(session);
  }

  return history.flatMap((operation): Finding[] => {
    const { kind, sid, status, startedAt, endedAt } = operation;
    if (endedAt - startedAt > MAX_WAIT_MS) return [{ rule: "waited too long", operation }];
    if (status !== undefined && !ANSWERS[kind].includes(status)) {
      return [{ rule: "not an answer we give", operation }];
    }
    if (isRefusedForNoReason(operation)) return [{ rule: "refused for no reason", operation }];
    const session = isSuccess(operation) && LETS_IN.includes(kind) ? sessions.get(sid ?? "") : undefined;
    const because = session && endOf(session);
    if (!session || !because || startedAt <= because.endedAt) return [];
    return [{ rule: "accepted after its logout", operation, opening: session.opening, because }];
  });
}

const isOpening = (kind: Kind) => kind === "register" || kind === "login";

const byStart = (one: Operation, other: Operation) => one.startedAt - other.startedAt;

function indexByUser(operations: Operation[]): Map<string, Operation[]> {
  const index = new Map<string, Operation[]>();
  for (const operation of operations) {
    const ofUser = index.get(operation.user);
    if (ofUser) ofUser.push(operation);
    else index.set(operation.user, [operation]);
  }
  return index;
}

function memo<K, T>(compute: (of: K) => T): (of: K) => T {
  const known = new Map<K, T>();
  return (of) => {
    const value = known.has(of) ? (known.get(of) as T) : compute(of);
    known.set(of, value);
    return value;
  };
}
