import type { Balancer, Reply } from "./balancer";
import { PASSWORD, type Tokens } from "./client";

const [REFRESH_EVERY, LOGOUT_EVERY] = [5, 60];

/** Frontends that never stop asking. Each verdict is known beforehand, whichever instance gives it. */
export type Load = {
  /** What each user holds now. */
  readonly users: Tokens[];
  readonly wrong: readonly string[];
  /** Gives how many answers there were. */
  stop(): Promise<number>;
};

/** The first wrong answer ends it. */
export function startLoad(balancer: Balancer, first: readonly Tokens[]): Load {
  const users = [...first];
  const wrong: string[] = [];
  let answers = 0;
  let isOver = false;

  async function ask(expected: number, ...request: Parameters<Balancer["send"]>): Promise<Reply> {
    const answer = await balancer.send(...request).catch((error: unknown) => String(error));
    answers += 1;
    if (typeof answer !== "string" && answer.status === expected) return answer;
    wrong.push(`${request[0]} ${request[1]}: ${JSON.stringify(answer)}, not ${expected}`);
    isOver = true;
    throw new Error("the load is over");
  }

  async function use(
    { access_token: token, refresh_token, user }: Tokens,
    count: number,
  ): Promise<Reply | undefined> {
    await ask(200, "GET", "/api/users/me", { token });
    await ask(204, "GET", "/api/auth/verify", { token });
    if (count % LOGOUT_EVERY === 0) {
      await ask(200, "POST", "/api/auth/logout", { token });
      await ask(401, "GET", "/api/users/me", { token });
      await ask(401, "POST", "/api/auth/refresh", { body: { refresh_token } });
      const credentials = { email: user.email, password: PASSWORD };
      return ask(200, "POST", "/api/auth/login", { body: credentials });
    }
    if (count % REFRESH_EVERY === 0)
      return ask(200, "POST", "/api/auth/refresh", { body: { refresh_token } });
    return undefined;
  }

  async function useAgainAndAgain(at: number): Promise<void> {
    for (let count = 1; !isOver; count += 1) {
      const tokens = users[at];
      const next = tokens && (await use(tokens, count));
      if (next) users[at] = next.body as Tokens;
    }
  }

  const using = Promise.allSettled(users.map((_, at) => useAgainAndAgain(at)));
  return {
    users,
    wrong,
    async stop() {
      isOver = true;
      await using;
      return answers;
    },
  };
}
