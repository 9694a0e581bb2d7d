import type { Tokens, User } from "./service.js";

/** As `localStorage` and `sessionStorage` are. */
export type Store = {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
};

/**
 * A session as a page holds it. By cookie, `access` is no token but a mark that changes with each refresh, and before
 * the service has said whose session it is, if there is one, there is no `user`.
 */
export type Held = {
  /** Tells this login from others. It means nothing to the service. */
  tag: string;
  access: string;
  refresh?: string | undefined;
  user?: User;
  expiresIn?: number;
  /** A refresh was begun: its answer may have been lost, and then it must be repeated soon. */
  isDue?: boolean;
};

export type SignedOut = { reason: string; here: boolean };

/** What tabs tell each other. */
type Message =
  | { held: Held; instead: string | undefined }
  | { ended: Pick<Held, "tag" | "user">; reason: string; all: boolean };

type Options = { key: string; isCookie: boolean; storage: Store | undefined };

export type Session = ReturnType<typeof createSession>;

const MARGIN_MS = 30_000;
const MARGIN_SHARE = 0.1;

const random = () => Math.random().toString(36).slice(2);

/** Keeps what this page knows of its session, in step with the other tabs. */
export function createSession({ key, isCookie, storage }: Options, tell: (event: SignedOut) => void) {
  const channel = new BroadcastChannel(key);
  let held: Held | undefined = isCookie ? { tag: "", access: "" } : undefined;
  let endedTag: string | undefined;
  let due = { access: "", at: 0 };

  function stored(): Held | undefined {
    try {
      return JSON.parse(storage?.getItem(key) ?? "") as Held;
    } catch {
      return undefined;
    }
  }

  /** Another tab may have changed what is stored. What has ended is never believed again. */
  function current(): Held | undefined {
    if (storage) {
      const found = stored();
      if (found && found.tag !== endedTag) held = found;
      else if (!isCookie) return undefined;
    }
    return held;
  }

  function hold(next: Held): void {
    held = next;
    storage?.setItem(key, JSON.stringify(next));
  }

  /** Lifetimes count from now, by a clock that nobody sets: it doesn't matter what time the computer thinks it is. */
  function time({ access, expiresIn = 0 }: Held): void {
    const marginMs = Math.min(MARGIN_MS, expiresIn * 1000 * MARGIN_SHARE);
    due = { access, at: performance.now() + expiresIn * 1000 - marginMs };
  }

  function forget({ tag }: Pick<Held, "tag">, event: SignedOut): void {
    held = undefined;
    endedTag = tag;
    // It may already hold the next login of another tab.
    if (stored()?.tag === tag) storage?.removeItem(key);
    tell(event);
  }

  channel.onmessage = ({ data }: { data: unknown }) => {
    const message = data as Message;
    const mine = held;
    if ("held" in message) {
      const before = current();
      if (isCookie || before?.tag === message.held.tag) time(message.held);
      // A copied tab has a storage of its own. What is newer than the message must stay.
      if (isCookie || (before && before.access === message.instead)) hold(message.held);
    } else if (mine) {
      const { ended, reason, all } = message;
      const isMine = isCookie || mine.tag === ended.tag || (all && mine.user?.id === ended.user?.id);
      if (isMine) forget(mine, { reason, here: false });
    }
  };

  return {
    current,

    /** Takes over what the service has answered: of a new login, or of the one with this tag. */
    adopt({ access_token, refresh_token, expires_in, user }: Tokens, tag = ""): void {
      const instead = tag === "" ? undefined : current()?.access;
      const access = access_token ?? random();
      const next = {
        tag: tag === "" ? random() : tag,
        access,
        refresh: refresh_token,
        user,
        expiresIn: expires_in,
      };
      time(next);
      hold(next);
      if (storage || isCookie) channel.postMessage({ held: next, instead });
    },

    markDue(now: Held): void {
      if (storage) hold({ ...now, isDue: true });
    },

    isDue: ({ access, isDue }: Held) => isDue ?? (access === due.access && performance.now() >= due.at),

    /** By cookie, once it is known that nobody is signed in. */
    clear(): void {
      held = undefined;
    },

    /** Forgets it here and in all tabs. Whoever knows already isn't told again. */
    end(ended: Held | undefined, event: SignedOut, all = false): void {
      if (!ended || held?.tag !== ended.tag) return;
      const { tag, user } = ended;
      channel.postMessage({ ended: { tag, user }, reason: event.reason, all });
      forget(ended, event);
    },
  };
}
