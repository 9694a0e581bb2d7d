import type { Answer } from "../helpers/client";

/**
 * `check` asks whether a token is accepted. `flush` and `loss` are faults, and the only ones that change what is right: after
 * the one everything from before is over, after the other it may be. `calm` waits, after a fault, until all services are ready.
 */
export type Kind =
  | "register"
  | "login"
  | "refresh"
  | "check"
  | "logout"
  | "logout of all devices"
  | "end of a session"
  | "end of the others"
  | "flush"
  | "loss"
  | "calm";

export type Operation = {
  kind: Kind;
  /** Whose, by e-mail address; nobody's for a fault or a calm. */
  user: string;
  /** The session whose token was presented, or that was opened. */
  sid?: string;
  /** What a success ends: these sessions, or all that the user has but perhaps one. */
  ends?: { sids: string[]; all?: true; spares?: string };
  /** Which service process was asked; of a fault, the only one that it concerns. */
  instance?: number;
  /** How long after a fault it may go unnoticed, so that who is out is accepted. Without it, not even while it lasts. */
  allowanceMs?: number;
  /** Milliseconds on the one clock of this process. */
  startedAt: number;
  endedAt: number;
  /** Undefined: no answer came. */
  status: number | undefined;
  code: string | undefined;
};

type About = Omit<Operation, "startedAt" | "endedAt" | "status" | "code">;

export type Recorder = {
  history: readonly Operation[];
  perform: (
    about: About,
    send: () => Promise<Answer>,
  ) => Promise<{ operation: Operation; answer: Answer | undefined }>;
  /** Records a fault that changes what is right, however long it takes to come. */
  strike(about: Omit<About, "user"> & { kind: "flush" | "loss" }, come: () => unknown): Promise<void>;
  /** Resolves when so many more operations have ended. */
  untilMore(count: number): Promise<void>;
};

/** Longer than anybody may have to wait. */
const PATIENCE_MS = 15_000;

export function createRecorder(): Recorder {
  const history: Operation[] = [];
  const waiting = new Map<() => void, number>();

  function record(operation: Operation): void {
    history.push(operation);
    for (const [resolve, length] of waiting) if (history.length >= length) resolve();
  }

  return {
    history,

    async perform(about, send) {
      const startedAt = performance.now();
      const answer = await answerTo(send);
      const code = (answer?.body as { code?: string } | undefined)?.code;
      const operation = { ...about, startedAt, endedAt: performance.now(), status: answer?.status, code };
      record(operation);
      return { operation, answer };
    },

    async strike(about, come) {
      const startedAt = performance.now();
      await come();
      record({ ...about, user: "", startedAt, endedAt: performance.now(), status: 200, code: undefined });
    },

    untilMore: (count) =>
      new Promise((resolve) => {
        const done = () => {
          waiting.delete(done);
          resolve();
        };
        waiting.set(done, history.length + count);
      }),
  };
}

async function answerTo(send: () => Promise<Answer>): Promise<Answer | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const never = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, undefined);
  });
  try {
    return await Promise.race([send(), never]);
  } catch (error) {
    if (isBrokenConnection(error)) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** By what fetch says: in jest its TypeError isn't ours. */
const isBrokenConnection = (error: unknown) =>
  ["fetch failed", "terminated"].includes((error as Error).message);

export const isSuccess = ({ status }: Operation) => status !== undefined && status < 300;

/** Nobody knows whether it happened, or will happen yet. */
export const isOpen = ({ status }: Operation) => status === undefined || status === 503;

/** Of what is in Redis. */
export const isLoss = ({ kind }: Operation) => kind === "flush" || kind === "loss";
