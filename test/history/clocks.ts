import { untilAgreed, type TestRedis } from "../helpers/redis";
import { AFTER_SIGN_MS, type Fault, type Hands } from "./world";

/** More than an access token lives, and with it what denies it. */
const AHEAD_SECONDS = 20 * 60;

/** `kind`: whether all that there is is in this Redis. */
export const clockSteps = (
  nodeFor: (hands: Hands) => Promise<TestRedis>,
  kind: "flush" | "loss" = "flush",
  haveForgotten: HaveForgotten = () => Promise.resolve(),
): Fault => ({
  name: "Redis's clock steps ahead, and back",
  async strike(hands) {
    const node = await nodeFor(hands);
    await hands.recorder.strike({ kind, allowanceMs: AFTER_SIGN_MS }, () => {
      node.setClock(AHEAD_SECONDS);
    });
    await hands.hold();
    await hands.untilReady();
    await hands.hold();
    node.setClock(0);
    await hands.hold();
    await haveForgotten([node]);
  },
});

/** Has nodes forget when by their clocks, while these were ahead, something happened. */
type HaveForgotten = (nodes: readonly TestRedis[]) => Promise<void>;

type Replacing = {
  nodes: readonly TestRedis[];
  replicas: () => Promise<TestRedis[]>;
  /** Has a replica take over, and gives the primary that was killed. */
  replace: (hands: Hands) => Promise<TestRedis>;
  untilSettled: () => Promise<void>;
  haveForgotten: HaveForgotten;
  allowanceMs: number;
};

export const clockOfNextIsAhead = ({
  nodes,
  replicas,
  replace,
  untilSettled,
  haveForgotten,
  allowanceMs,
}: Replacing): Fault => ({
  name: "a primary is replaced by a replica whose clock is ahead",
  async strike(hands) {
    const next = await replicas();
    for (const replica of next) replica.setClock(AHEAD_SECONDS);
    // By its new clock: a replica that seems not to have heard of its primary for long doesn't take over.
    await untilAgreed(async () => (await Promise.all(next.map(hasJustHeard))).every(Boolean));
    let primary: TestRedis | undefined;
    await hands.recorder.strike({ kind: "loss", allowanceMs }, async () => {
      primary = await replace(hands);
    });
    await hands.hold();
    await primary?.start();
    await untilSettled();
    for (const node of nodes) node.setClock(0);
    await hands.hold();
    await haveForgotten(next);
  },
});

const hasJustHeard = async ({ admin }: TestRedis) =>
  /^master_last_io_seconds_ago:[01]\r?$/m.test(await admin.info("replication"));
