/**
 * How old what the mirror knows can be at most. A heartbeat is a key that is written, of which Redis then tells on the
 * connection on which it tells of entries. Once it is heard, so is everything that Redis had acknowledged when it was
 * **sent**.
 */
export type Freshness = {
  /** A heartbeat is about to be sent. Returns its number. */
  begin(): number;
  /** Redis told of the heartbeat. */
  heard(beat: number): void;
  /** Redis acknowledged the heartbeat, and was found to be the one that we know. */
  answered(beat: number): void;
  failed(beat: number): void;
  /** Nothing sent so far proves anything any more. */
  doubt(): void;
  /** The same, and nothing sent so far can be heard any more. */
  restart(): void;
  isFresh(): boolean;
  /** Undefined before the first proof. */
  ageMs(): number | undefined;
  /** Whether we read so long ago that Redis acknowledged a heartbeat, and it hasn't told of it. */
  isDeaf(limitMs: number): boolean;
};

type Reading = readonly [steadyMs: number, wallMs: number];
type Beat = { sentAt: Reading; isHeard?: true; answeredAt?: Reading };

/** Two clocks, because one stands still while the machine sleeps, and the other can be set back. */
const readClocks = (): Reading => [performance.now(), Date.now()];

export function createFreshness(maxMs: number, clocks = readClocks): Freshness {
  const beats = new Map<number, Beat>();
  let last = 0;
  let proof: { beat: number; sentAt: Reading } | undefined;
  let first = 1;

  function since([steady, wall]: Reading): number {
    const [steadyNow, wallNow] = clocks();
    return Math.max(steadyNow - steady, wallNow - wall);
  }

  function note(number: number, what: Partial<Beat>): void {
    const beat = beats.get(number);
    if (!beat) return;
    Object.assign(beat, what);
    if (!beat.isHeard || !beat.answeredAt) return;
    proof = { beat: number, sentAt: beat.sentAt };
    for (const each of beats.keys()) if (each <= number) beats.delete(each);
  }

  const doubt = () => {
    first = last + 1;
  };

  return {
    begin() {
      last += 1;
      beats.set(last, { sentAt: clocks() });
      return last;
    },

    heard(beat) {
      note(beat, { isHeard: true });
    },

    answered(beat) {
      note(beat, { answeredAt: clocks() });
    },

    failed(beat) {
      beats.delete(beat);
    },

    doubt,

    restart() {
      doubt();
      beats.clear();
    },

    isFresh: () => proof !== undefined && proof.beat >= first && since(proof.sentAt) <= maxMs,

    ageMs: () => proof && since(proof.sentAt),

    isDeaf: (limitMs) =>
      [...beats.values()].some(
        ({ answeredAt, isHeard }) => answeredAt && !isHeard && since(answeredAt) > limitMs,
      ),
  };
}
