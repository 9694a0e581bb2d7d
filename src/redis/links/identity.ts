import { createClock, hasJumped, type DatedLead, type Moment } from "../clock";
import type { Info } from "../info";

/** Which Redis answers at the other end of a connection. */
export type Answerer = {
  /** Changes whenever it may be another Redis than before, or one with a different past. */
  generation: string;
  runId: string | undefined;
  /** How far its clock is ahead of our steady one. */
  readonly steadyLead: DatedLead | undefined;
};

let generations = 0;

/** Keeps track of which Redis answers on a connection, by its INFO. */
export function createIdentity() {
  const clock = createClock();
  let info: Info | undefined;
  // Made anew only when Redis tells something new, because every check asks for it.
  let answerer: Answerer | undefined;

  const isTheSame = (next: Info) =>
    next.runId === info?.runId &&
    next.replicationId === info?.replicationId &&
    next.isReplica === info?.isReplica;

  return {
    /** Call it when the connection has ended: where the next one leads isn't known. */
    lost: (): void => {
      answerer = undefined;
    },

    told(next: Info, asked: Moment, answered: Moment): void {
      const before = clock.steadyLead();
      if (next.timeMs !== undefined) clock.told(next.timeMs, asked, answered);
      const isStill = isTheSame(next) && !hasJumped(before, clock.steadyLead());
      answerer = {
        generation: answerer && isStill ? answerer.generation : String((generations += 1)),
        runId: next.runId,
        get steadyLead() {
          return clock.steadyLead();
        },
      };
      info = next;
    },

    info: () => info,
    wallLead: clock.wallLead,
    /** Undefined until Redis has answered INFO. */
    answerer: () => answerer,
  };
}
