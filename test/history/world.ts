import type { Answer } from "../helpers/client";
import type { Random } from "./random";
import type { Recorder } from "./operation";

/** What a fault may use. */
export type Hands = {
  recorder: Recorder;
  random: Random;
  /** Resolves when some more operations have ended, while the fault lasts. */
  hold: () => Promise<void>;
  /** Resolves when every service is ready. */
  untilReady: () => Promise<unknown>;
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
  /** For how long another instance than the one that was asked may go on accepting, if it has a mirror. */
  stalenessMs?: number;
  stop(): Promise<void>;
};

/** The answer of what isn't a request. */
export const DONE: Answer = { status: 200, headers: new Headers(), body: undefined };

/** What a busy machine adds to the bounds that are promised. */
const SLACK_MS = 250;
/** How long something may go unnoticed that shows, although connections stay; and what doesn't show. */
export const AFTER_SIGN_MS = 1000 + SLACK_MS;
export const WITHOUT_SIGN_MS = 5000 + SLACK_MS;
/** How long until an instance has connected anew, as late as it may try to, or has found the nodes of a cluster, and looked. */
export const AFTER_RECONNECT_MS = { node: 1000 + AFTER_SIGN_MS, cluster: 2000 + AFTER_SIGN_MS };
