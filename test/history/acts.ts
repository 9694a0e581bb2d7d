import { call, PASSWORD, refresh, type Answer, type Tokens } from "../helpers/client";
import { decodePart } from "../helpers/jws";
import { isOpen, isSuccess, type Kind, type Operation, type Recorder } from "./operation";
import type { Random } from "./random";

/** What clients know of a session. They share it, so that they meet in it. */
export type Session = {
  sid: string;
  user: string;
  accessTokens: string[];
  refreshTokens: string[];
  isRefreshing: boolean;
  /** Somebody ended it, or may have. */
  mayBeOver: boolean;
};

/** What a client can do, each on some instance. */
export type Acts = {
  /** Every session there ever was, and those that nobody has begun to end yet. */
  sessions: readonly Session[];
  live: ReadonlySet<Session>;
  /** Registers while there are few accounts, else logs in. */
  enter: () => Promise<void>;
  check: (session: Session) => Promise<unknown>;
  refresh: (session: Session) => Promise<void>;
  /** In any of the ways that there are. Whoever is told that it is done looks at once whether it is. */
  logOut: (session: Session) => Promise<void>;
  /** Checks until it gets an answer. */
  checkAtLast: (session: Session) => Promise<void>;
};

type Request = (url: string) => Promise<Answer>;
type Order = { kind: Kind; ends?: Operation["ends"]; request: Request };

const ACCOUNTS = 6;
const LOOKED_AT = 4;

export function createActs(urls: () => string[], { perform }: Recorder, random: Random): Acts {
  const accounts = new Set<string>();
  const sessions: Session[] = [];
  const live = new Set<Session>();
  let registrations = 0;
  let registering: Promise<void> | undefined;

  const anyInstance = () => random.whole(0, urls().length - 1);

  async function ask({ user, sid }: Session, order: Order, instance = anyInstance()) {
    const { kind, ends, request } = order;
    const about = { kind, user, sid, instance, ...(ends && { ends }) };
    return perform(about, () => request(urls()[instance] ?? ""));
  }

  async function open(kind: "register" | "login", user: string): Promise<void> {
    const instance = anyInstance();
    const body = { email: user, password: PASSWORD };
    const { operation, answer } = await perform({ kind, user, instance }, () =>
      call(urls()[instance] ?? "", "POST", `/api/auth/${kind}`, { body }),
    );
    if (operation.status === 401) accounts.delete(user);
    if (!isSuccess(operation)) return;
    const { access_token, refresh_token } = answer?.body as Tokens;
    operation.sid = String(decodePart(access_token, 1)["sid"]);
    const session = {
      sid: operation.sid,
      user,
      accessTokens: [access_token],
      refreshTokens: [refresh_token],
      isRefreshing: false,
      mayBeOver: false,
    };
    accounts.add(user);
    sessions.push(session);
    live.add(session);
  }

  function takeForOver(session: Session): void {
    live.delete(session);
    session.mayBeOver = true;
  }

  /** One registers at a time, so that an account has many sessions. */
  async function enter(): Promise<void> {
    if (accounts.size < ACCOUNTS && !registering) {
      registering = open("register", `user-${(registrations += 1)}@example.com`);
      await registering;
      registering = undefined;
      return;
    }
    const user = random.pick([...accounts]);
    await (user === undefined ? registering : open("login", user));
  }

  async function check(session: Session, instance?: number): Promise<Operation> {
    const path = random.pick(["/api/users/me", "/api/auth/verify"]) ?? "";
    const token = random.pickLate(session.accessTokens) ?? "";
    const request: Request = (url) => call(url, "GET", path, { token });
    const { operation } = await ask(session, { kind: "check", request }, instance);
    if (isOver(operation)) takeForOver(session);
    return operation;
  }

  /** One at a time, and the latest token as long as nobody ended the session: another one would look stolen, and end it. */
  async function carryOn(session: Session): Promise<void> {
    if (session.isRefreshing) return;
    session.isRefreshing = true;
    const { refreshTokens } = session;
    const token = (session.mayBeOver ? random.pick(refreshTokens) : refreshTokens.at(-1)) ?? "";
    const request: Request = (url) => refresh(url, token);
    const { operation, answer } = await ask(session, { kind: "refresh", request });
    session.isRefreshing = false;
    if (isOver(operation)) takeForOver(session);
    if (!isSuccess(operation)) return;
    const { access_token, refresh_token } = answer?.body as Tokens;
    session.accessTokens.push(access_token);
    session.refreshTokens.push(refresh_token);
  }

  async function leave(session: Session, leaving: Session[], order: Order): Promise<void> {
    for (const each of leaving) {
      live.delete(each);
      each.mayBeOver ||= endsInAnyCase(order, each);
    }
    const { operation } = await ask(session, order);
    for (const each of leaving) {
      each.mayBeOver ||= !isRefused(operation);
      if (!each.mayBeOver) live.add(each);
    }
    if (!isSuccess(operation)) return;
    const looks = random
      .shuffle(leaving)
      .slice(0, LOOKED_AT)
      .flatMap((each) => [carryOn(each), ...urls().map((_, instance) => check(each, instance))]);
    await Promise.all(looks);
  }

  const logout = (body: object, token?: string): Request => {
    const options = { body, ...(token !== undefined && { token }) };
    return (url) => call(url, "POST", "/api/auth/logout", options);
  };
  const remove = (path: string, token: string): Request => {
    return (url) => call(url, "DELETE", `/api/auth/sessions${path}`, { token });
  };

  function logOut(session: Session): Promise<void> {
    const { sid, user } = session;
    const token = random.pick(session.accessTokens) ?? "";
    const refreshToken = random.pick(session.refreshTokens) ?? "";
    const others = [...live].filter((each) => each.user === user && each !== session);
    const other = random.pick(others) ?? session;
    const otherToken = random.pick(other.refreshTokens) ?? "";
    const [it, both] = [{ sids: [sid] }, { sids: [sid, other.sid] }];
    const ways: [weight: number, leaving: Session[], order: Order][] = [
      [4, [session], { kind: "logout", ends: it, request: logout({}, token) }],
      [2, [session], { kind: "logout", ends: it, request: logout({ refresh_token: refreshToken }) }],
      [
        2,
        [session, other],
        { kind: "logout", ends: both, request: logout({ refresh_token: otherToken }, token) },
      ],
      [
        2,
        [session, ...others],
        {
          kind: "logout of all devices",
          ends: { ...it, all: true },
          request: logout({ all_devices: true }, token),
        },
      ],
      [
        2,
        [other],
        { kind: "end of a session", ends: { sids: [other.sid] }, request: remove(`/${other.sid}`, token) },
      ],
      [
        1,
        others,
        { kind: "end of the others", ends: { sids: [], all: true, spares: sid }, request: remove("", token) },
      ],
    ];
    const [, leaving, order] = random.pickWeighted(ways);
    return leave(session, leaving, order);
  }

  return {
    sessions,
    live,
    enter,
    check,
    refresh: carryOn,
    logOut,
    async checkAtLast(session) {
      while (isOpen(await check(session)));
    },
  };
}

const isOver = ({ status, code }: Operation) => status === 401 && code !== "token_expired";

/** Whoever is told so has ended nothing, but what a logout names. */
const isRefused = ({ status }: Operation) => status === 401 || status === 404;

const endsInAnyCase = ({ kind, ends }: Order, { sid }: Session) =>
  kind.startsWith("logout") && (ends?.sids.includes(sid) ?? false);
