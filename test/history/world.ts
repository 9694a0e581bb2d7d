import type { Answer } from "../helpers/client";
import type { Random } from "./random";
import type { Recorder } from "./operation";

/** What a fault may use. */
export type Hands = {
  recorder: Recorder;
  random: Random;
  /** Resolves when some more operations have ended, while the fault lasts. */
  hold: () => Promise<void>;
};

export type Fault = {
  name: string;
  /** Comes, stays for a while, goes. */
  strike(hands: Hands): Promise<unknown>;
};

/** Where the services run, and what can happen to them there. */
export type World = {
  /** One for each service process. */
  environments: NodeJS.ProcessEnv[];
  faults: Fault[];
  /** Whether Redis may lose what it acknowledged, where no replicas were waited for. */
  mayLose: boolean;
  stop(): Promise<void>;
};

/** The answer of what isn't a request. */
export const DONE: Answer = { status: 200, headers: new Headers(), body: undefined };
