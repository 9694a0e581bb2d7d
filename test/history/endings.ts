import { isLoss, isOpen, isSuccess, type Operation } from "./operation";

type Session = { sid: string; user: string; opening: Operation };

/** When sessions must be over, and when they may be. */
export type Endings = {
  sessions: ReadonlyMap<string, Session>;
  /** The first operation after whose end the session must be over. */
  endOf: (session: Session) => Operation | undefined;
  /** From when on the session may be over. */
  mayEndAt: (session: Session) => number;
  /** Whether a login may be of an account that Redis lost. */
  mayBeLost: (login: Operation) => boolean;
};

const SESSIONS_PER_USER = 100;
/** How long after a calm began to reign something that was sent before may still arrive. */
const STRAGGLERS_MS = 1000;

export function findEndings(history: readonly Operation[]): Endings {
  const sessions = new Map<string, Session>();
  for (const operation of history) {
    const { kind, user, sid } = operation;
    if (sid !== undefined && isOpening(kind) && isSuccess(operation))
      sessions.set(sid, { sid, user, opening: operation });
  }
  const endings = indexByUser(history.filter(({ ends }) => ends));
  const openings = indexByUser(history.filter(({ kind }) => isOpening(kind)));
  const losses = history.filter(isLoss);
  const calms = history.filter(({ kind }) => kind === "calm").sort(byStart);
  const endingsOf = ({ user }: { user: string }) => [...(endings.get(user) ?? []), ...losses];

  /** Until when an operation may happen of which nobody knows whether it did, or a loss may be noticed. */
  const lateEndOf = memo((operation: Operation) => {
    if (!isOpen(operation)) return operation.endedAt + (operation.allowanceMs ?? 0);
    const calm = calms.find(({ startedAt }) => startedAt >= operation.endedAt);
    return calm ? calm.endedAt + STRAGGLERS_MS : Infinity;
  });

  function mayEnd(ending: Operation, { sid, opening }: Session): boolean {
    const { kind, ends, status } = ending;
    // A token that was refused ended nothing; but what a logout names, it ends in any case.
    if ((status === 401 || status === 404) && !kind.startsWith("logout")) return false;
    if (ends?.sids.includes(sid)) return true;
    if (!isLoss(ending) && (!ends?.all || ends.spares === sid || status === 401)) return false;
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

  return {
    sessions,

    endOf: memo((session) =>
      endingsOf(session)
        .filter((ending) => ends(ending, session))
        .reduce<Operation | undefined>(
          (first, each) => (first && first.endedAt <= each.endedAt ? first : each),
          undefined,
        ),
    ),

    mayEndAt: memo((session) => {
      const later = (openings.get(session.user) ?? [])
        .filter(({ endedAt }) => endedAt > session.opening.endedAt)
        .sort(byStart);
      return Math.min(
        later[SESSIONS_PER_USER - 1]?.startedAt ?? Infinity,
        ...endingsOf(session)
          .filter((ending) => mayEnd(ending, session))
          .map(({ startedAt }) => startedAt),
      );
    }),

    mayBeLost({ user, endedAt }) {
      const registered = (openings.get(user) ?? []).find(({ kind }) => kind === "register");
      return losses.some(
        (loss) => loss.startedAt < endedAt && lateEndOf(loss) > (registered?.startedAt ?? 0),
      );
    },
  };
}

const isOpening = (kind: Operation["kind"]) => kind === "register" || kind === "login";

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
