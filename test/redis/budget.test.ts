import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { inTime, leftMs, outsideBudgets, spend, TIME_UP, withBudget } from "../../src/redis/budget";

const TOTAL_MS = 250;
const CALL_MS = 1000;

/** A call that Redis answers so much later. */
const answerAfter = (ms: number) => () =>
  new Promise<string>((resolve) => {
    setTimeout(resolve, ms, `after ${ms} ms`);
  });

const failAfter = (ms: number) => () =>
  new Promise<never>((_resolve, reject) => {
    setTimeout(reject, ms, new Error("LOADING"));
  });

/** What became of a call, and of the time. */
const outcomeOf = (asked: Promise<unknown>) =>
  asked.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error: (error as Error).message }),
  );

/** What became of something when all the time that it takes has passed; no second of it passes for us. */
async function settle<T>(outcome: Promise<T>): Promise<T> {
  await jest.advanceTimersByTimeAsync(60_000);
  return outcome;
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("with a clock of its own", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  describe("the calls of a request", () => {
    it("share its time: what one takes, the next doesn't have", async () => {
      const request = withBudget(TOTAL_MS, async () => [
        await outcomeOf(inTime(CALL_MS, answerAfter(100))),
        leftMs(CALL_MS),
        await outcomeOf(inTime(CALL_MS, answerAfter(100))),
        leftMs(CALL_MS),
        await outcomeOf(inTime(CALL_MS, answerAfter(100))),
      ]);
      expect(await settle(request)).toEqual([
        { answer: "after 100 ms" },
        150,
        { answer: "after 100 ms" },
        50,
        { error: TIME_UP },
      ]);
    });

    it("aren't made once it is up", async () => {
      const late = jest.fn(answerAfter(1));
      const request = withBudget(TOTAL_MS, async () => [
        await outcomeOf(inTime(CALL_MS, answerAfter(TOTAL_MS + 1))),
        await outcomeOf(inTime(CALL_MS, late)),
      ]);
      expect(await settle(request)).toEqual([{ error: TIME_UP }, { error: TIME_UP }]);
      expect(late).not.toHaveBeenCalled();
    });

    it("pay for what fails, too", async () => {
      const request = withBudget(TOTAL_MS, async () => [
        await outcomeOf(inTime(CALL_MS, failAfter(200))),
        await outcomeOf(inTime(CALL_MS, answerAfter(100))),
      ]);
      expect(await settle(request)).toEqual([{ error: "LOADING" }, { error: TIME_UP }]);
    });

    it("don't pay for what else the request waits for", async () => {
      const request = withBudget(TOTAL_MS, async () => [
        await outcomeOf(inTime(CALL_MS, answerAfter(100))),
        await answerAfter(10_000)(),
        await outcomeOf(inTime(CALL_MS, answerAfter(100))),
      ]);
      expect(await settle(request)).toEqual([
        { answer: "after 100 ms" },
        "after 10000 ms",
        { answer: "after 100 ms" },
      ]);
    });

    it("are short of the time that one under way has taken so far", async () => {
      const request = withBudget(TOTAL_MS, async () => {
        const underWay = outcomeOf(inTime(CALL_MS, answerAfter(200)));
        await answerAfter(100)();
        const left = leftMs(CALL_MS);
        return [left, await outcomeOf(inTime(CALL_MS, answerAfter(160))), await underWay];
      });
      expect(await settle(request)).toEqual([150, { error: TIME_UP }, { answer: "after 200 ms" }]);
    });

    it("that are made side by side take the time once", async () => {
      const request = withBudget(TOTAL_MS, async () => [
        ...(await Promise.all(
          Array.from({ length: 16 }, () => outcomeOf(inTime(CALL_MS, answerAfter(100)))),
        )),
        await outcomeOf(inTime(CALL_MS, answerAfter(100))),
        await outcomeOf(inTime(CALL_MS, answerAfter(100))),
      ]);
      expect(await settle(request)).toEqual([
        ...Array.from({ length: 17 }, () => ({ answer: "after 100 ms" })),
        { error: TIME_UP },
      ]);
    });
  });

  describe("an answer that several requests wait for", () => {
    const refusalOf = () => new Error("refused");
    const wait = (boundMs: number, shared: Promise<unknown>) => outcomeOf(spend(boundMs, shared, refusalOf));

    it("takes of the time of each what it took, and nothing of it afterwards", async () => {
      const shared = answerAfter(80)();
      const request = () =>
        withBudget(TOTAL_MS, async () => [
          await wait(100, shared),
          await answerAfter(10_000)(),
          leftMs(CALL_MS),
        ]);
      const both = Promise.all([request(), request()]);
      const each = [{ answer: "after 80 ms" }, "after 10000 ms", TOTAL_MS - 80];
      expect(await settle(both)).toEqual([each, each]);
    });

    it("is refused to who has no time left for it, and to nobody else", async () => {
      const shared = answerAfter(200)();
      const late = withBudget(100, () => wait(TOTAL_MS, shared));
      const other = withBudget(TOTAL_MS, () => wait(TOTAL_MS, shared));
      const outside = wait(TOTAL_MS, shared);
      expect(await settle(Promise.all([late, other, outside]))).toEqual([
        { error: "refused" },
        { answer: "after 200 ms" },
        { answer: "after 200 ms" },
      ]);
    });

    it("needs a timer only for who has less time left than it takes at most", async () => {
      const shared = answerAfter(10)();
      const timers = jest.getTimerCount();
      const asked = withBudget(TOTAL_MS, () => wait(TOTAL_MS, shared));
      expect(jest.getTimerCount()).toBe(timers);
      const inAHurry = withBudget(TOTAL_MS - 1, () => wait(TOTAL_MS, shared));
      expect(jest.getTimerCount()).toBe(timers + 1);
      await settle(Promise.all([asked, inAHurry]));
    });
  });

  it("requests that are answered at the same time have a budget each", async () => {
    const spends = withBudget(TOTAL_MS, async () => [
      await outcomeOf(inTime(CALL_MS, answerAfter(TOTAL_MS + 1))),
      await outcomeOf(inTime(CALL_MS, answerAfter(1))),
    ]);
    const saves = withBudget(TOTAL_MS, async () => [
      await outcomeOf(inTime(CALL_MS, answerAfter(10))),
      await answerAfter(CALL_MS)(),
      leftMs(CALL_MS),
    ]);
    expect(await settle(spends)).toEqual([{ error: TIME_UP }, { error: TIME_UP }]);
    expect(await settle(saves)).toEqual([{ answer: "after 10 ms" }, `after ${CALL_MS} ms`, TOTAL_MS - 10]);
  });

  it("outside of a request each call has all its time", async () => {
    const outcomes: unknown[] = [];
    const all = (async () => {
      for (const ms of [900, 900, CALL_MS + 1, 900]) {
        outcomes.push(await outcomeOf(inTime(CALL_MS, answerAfter(ms))), leftMs(CALL_MS));
      }
    })();
    await settle(all);
    expect(outcomes).toEqual([
      ...[{ answer: "after 900 ms" }, CALL_MS],
      ...[{ answer: "after 900 ms" }, CALL_MS],
      ...[{ error: TIME_UP }, CALL_MS],
      ...[{ answer: "after 900 ms" }, CALL_MS],
    ]);
  });

  it("what is asked after a request, but not for it, has all its time", async () => {
    await settle(withBudget(TOTAL_MS, () => outcomeOf(inTime(CALL_MS, answerAfter(CALL_MS)))));
    expect(await settle(outcomeOf(inTime(CALL_MS, answerAfter(900))))).toEqual({ answer: "after 900 ms" });
  });

  it("what a request leads to, but isn't done for it, has all its time", async () => {
    const request = withBudget(TOTAL_MS, async () => [
      await outcomeOf(inTime(CALL_MS, answerAfter(TOTAL_MS + 1))),
      await outsideBudgets(() => outcomeOf(inTime(CALL_MS, answerAfter(900)))),
      await outcomeOf(inTime(CALL_MS, answerAfter(1))),
    ]);
    expect(await settle(request)).toEqual([
      { error: TIME_UP },
      { answer: "after 900 ms" },
      { error: TIME_UP },
    ]);
  });

  it("a failure is handed on as it is", async () => {
    const failure = new Error("NOPERM");
    await expect(inTime(CALL_MS, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(jest.getTimerCount()).toBe(0);
  });

  it("a call that throws at once has failed at once, and takes no more time", async () => {
    const failure = new Error("NOPERM");
    const fail = () => {
      throw failure;
    };
    await expect(inTime(CALL_MS, fail)).rejects.toBe(failure);
    expect(jest.getTimerCount()).toBe(0);
    const request = withBudget(TOTAL_MS, async () => [
      await outcomeOf(inTime(CALL_MS, fail)),
      await answerAfter(TOTAL_MS - 50)(),
      leftMs(CALL_MS),
    ]);
    expect(await settle(request)).toEqual([{ error: "NOPERM" }, `after ${TOTAL_MS - 50} ms`, TOTAL_MS]);
  });

  it("an answer leaves no timer behind", async () => {
    const asked = outcomeOf(inTime(CALL_MS, answerAfter(10)));
    await jest.advanceTimersByTimeAsync(10);
    expect(await asked).toEqual({ answer: "after 10 ms" });
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe("a call that is given up", () => {
  const unhandled = jest.fn();
  beforeEach(() => process.on("unhandledRejection", unhandled));
  afterEach(() => {
    process.off("unhandledRejection", unhandled);
    unhandled.mockClear();
  });

  async function giveUp(end: (resolve: () => void, reject: (error: Error) => void) => void): Promise<void> {
    let endCall: () => void = () => undefined;
    const call = () =>
      new Promise<void>((resolve, reject) => {
        endCall = () => {
          end(resolve, reject);
        };
      });
    await expect(inTime(1, call)).rejects.toThrow(TIME_UP);
    endCall();
    // When a turn is over, Node tells of the rejections that nobody took.
    await nextTurn();
    await nextTurn();
    expect(unhandled).not.toHaveBeenCalled();
  }

  it("disturbs nobody when it fails after all", () =>
    giveUp((_resolve, reject) => {
      reject(new Error("Connection is closed."));
    }));

  it("disturbs nobody when it succeeds after all", () =>
    giveUp((resolve) => {
      resolve();
    }));
});

/** Somebody who answers from outside of this process's event loop, as Redis does. */
const ANSWERER = `
  const { parentPort, workerData } = require("node:worker_threads");
  parentPort.on("message", () => {
    parentPort.postMessage("the answer");
    Atomics.store(workerData, 0, 1);
    Atomics.notify(workerData, 0);
  });
`;

describe("while this process is busy with something else", () => {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  let answerer: Worker;
  beforeAll(async () => {
    answerer = new Worker(ANSWERER, { eval: true, workerData: flag });
    await once(answerer, "online");
  });
  afterAll(() => answerer.terminate());

  /** Nothing else happens here meanwhile. */
  const block = (ms: number) => Atomics.wait(flag, 0, Atomics.load(flag, 0), ms);

  it("takes an answer that came, although the time is up when it is looked at", async () => {
    const limitMs = 20;
    const call = () => {
      const answer = once(answerer, "message");
      const askedAt = performance.now();
      answerer.postMessage("?");
      // Until it has been sent, and then until it is too late.
      Atomics.wait(flag, 0, 0);
      while (performance.now() - askedAt < 2 * limitMs) block(limitMs);
      return answer;
    };
    // From here Node's event loop comes to its timers first, and then to what has arrived.
    await nextTurn();
    expect(await withBudget(limitMs, () => outcomeOf(inTime(CALL_MS, call)))).toEqual({
      answer: ["the answer"],
    });
  });

  it("takes nothing for an answer that did not come", async () => {
    const limitMs = 20;
    const call = () => {
      block(2 * limitMs);
      return new Promise<never>(() => undefined);
    };
    expect(await outcomeOf(inTime(limitMs, call))).toEqual({ error: TIME_UP });
  });
});
