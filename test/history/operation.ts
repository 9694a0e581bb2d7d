import type { Answer } from "../helpers/client";

/**
 * `check` asks whether a token is accepted. `flush` is a fault, and the only one that changes what is right; `calm` waits,
 * after one, until all services are ready.
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
  | "calm";

export type Operation = {
  kind: Kind;
  /** Whose, by e-mail address; nobody's for a flush or a calm. */
  user: string;
  /** The session whose token was presented, or that was opened. */
  sid?: string;
  /** What a success ends: these sessions, or all that the user has but perhaps one. */
  ends?: { sids: string[]; all?: true; spares?: string };
  /** Which service process was asked. */
  instance?: number;
  /** Milliseconds on the one clock of this process. */
  startedAt: number;
  endedAt: number;
  /** Undefined: no answer came. */
  status: number | undefined;
  code: string | undefined;
};

export type Recorder = {
  history: readonly Operation[];
  perform: (
    about: Omit<Operation, "startedAt" | "endedAt" | "status" | "code">,
    send: () => Promise<Answer>,
  ) => Promise<{ operation: Operation; answer: Answer | undefined }>;
  /** Resolves when so many more operations have ended. */
  untilMore(count: number): Promise<void>;
};

/** Longer than anybody may have to wait. */
const PATIENCE_MS = 15_000;

export function createRecorder(): Recorder {
  const history: Operation[] = [];
  const waiting = new Map<() => void, number>();

  return {
    history,

    async perform(about, send) {
      const startedAt = performance.now();
      const answer = await answerTo(send);
      const code = (answer?.body as { code?: string } | undefined)?.code;
      const operation = { ...about, startedAt, endedAt: performance.now(), status: answer?.status, code };
      history.push(operation);
      for (const [resolve, length] of waiting) if (history.length >= length) resolve();
      return { operation, answer };
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
