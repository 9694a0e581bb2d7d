import { ANSWERED, REFUSED, type Fault } from "./fault";
import type { Stage } from "./stage";

/** What can happen between us and Redis. */
export const WIRE: Fault[] = [
  {
    name: "refused",
    what: "nothing listens on Redis's port",
    breakIt: ({ wire }) => wire.refuse(),
    mendIt: ({ wire }) => wire.accept(),
    expect: REFUSED,
  },
  {
    name: "black-holed",
    what: "nothing that is sent arrives, on old connections and new ones; TCP says nothing",
    breakIt: ({ wire }) => {
      wire.breakAfter("request", 0, "silence");
    },
    mendIt: ({ wire }) => {
      wire.forget();
    },
    expect: REFUSED,
  },
  {
    name: "answers lost",
    what: "all that is sent arrives, and no answer comes back; TCP says nothing",
    breakIt: ({ wire }) => {
      wire.breakAfter("reply", 0, "silence");
    },
    mendIt: ({ wire }) => {
      wire.forget();
    },
    expect: REFUSED,
  },
  {
    name: "dead connection",
    what: "nothing moves on the connections that there are, for ever; new ones work",
    breakIt: ({ wire }) => {
      wire.silenceOld();
    },
    expect: REFUSED,
  },
  {
    name: "reset in mid-reply",
    what: "each connection is reset in its first reply",
    breakIt: ({ wire }) => {
      wire.breakAfter("reply", 3, "reset");
    },
    mendIt: ({ wire }) => {
      wire.heal();
    },
    expect: REFUSED,
  },
  {
    name: "sliced",
    what: "everything arrives one byte at a time",
    breakIt: ({ wire }) => {
      wire.slice(1);
    },
    mendIt: ({ wire }) => {
      wire.slice(Infinity);
    },
    expect: ANSWERED,
  },
  {
    name: "slow, in time",
    what: "40 ms for a round trip",
    ...slowDown(40),
    expect: ANSWERED,
  },
  {
    name: "slow, one in time",
    what: "170 ms for a round trip: one is in time, two together aren't",
    ...slowDown(170),
    expect: { ...ANSWERED, login: [503], refresh: [503] },
  },
  {
    name: "too slow",
    what: "400 ms for a round trip",
    ...slowDown(400),
    expect: REFUSED,
  },
];

function slowDown(roundTripMs: number) {
  const delay = (ms: number) => (stage: Stage) => {
    stage.wire.delay(() => ms);
  };
  return { breakIt: delay(roundTripMs / 2), mendIt: delay(0) };
}
