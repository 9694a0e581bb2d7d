import { createHash } from "node:crypto";
import type { Request } from "express";
import { ipKeyGenerator, rateLimit } from "express-rate-limit";
import { normaliseEmail } from "../accounts";
import { CurfewError } from "../errors";
import type { Redis } from "../redis/redis";
import type { Rate, Rates } from "../settings";
import type { Shards } from "../shards";
import type { RefreshTokens } from "../tokens/refresh-tokens";
import { subjectOf, type Tokens } from "../tokens/tokens";
import type { Cookies } from "./cookies";
import { addressOf, readAccessToken, readRefreshToken } from "./credentials";
import { ownCallerOf } from "./guard";
import { createLimitStore, limitKey } from "./limit-store";
import { step, type Step } from "./step";

export type LimitParts = {
  redis: Redis;
  shards: Shards;
  tokens: Tokens;
  refreshTokens: RefreshTokens;
  cookies: Cookies;
};

export type Limits = Record<
  "login" | "account" | "password" | "register" | "refresh" | "logout" | "client",
  Step
> & {
  /** Remembers that this account signed in from here, so that nobody elsewhere can use up its owner's tries. */
  rememberAddress: (req: Request, email: string) => Promise<void>;
};

const IPV6_SUBNET = 56;
const KNOWN_FOR_SECONDS = 30 * 86_400;

const networkOf = (req: Request) => ipKeyGenerator(addressOf(req) ?? "unknown", IPV6_SUBNET);

/** Without rates nothing is limited. */
export function createLimits(parts: LimitParts, rates: Rates | undefined): Limits {
  const { redis, shards, tokens, refreshTokens, cookies } = parts;

  function limit(
    name: string,
    rate: Rate | undefined,
    keyOf: (req: Request) => string | Promise<string>,
    { isTold } = { isTold: true },
  ): Step {
    if (!rate) {
      return step([], (_req, _res, next) => {
        next();
      });
    }
    const { limit, windowSeconds } = rate;
    const middleware = rateLimit({
      identifier: name,
      limit,
      windowMs: windowSeconds * 1000,
      standardHeaders: isTold ? "draft-8" : false,
      legacyHeaders: false,
      keyGenerator: keyOf,
      store: createLimitStore(redis, shards, name, windowSeconds),
      // It would complain on the console about what a client puts into headers. Our own start checks the settings.
      validate: false,
      handler: (req, res) => {
        const { resetTime } = (req as Request & { rateLimit: { resetTime: Date } }).rateLimit;
        res.set("Retry-After", String(Math.ceil((resetTime.getTime() - Date.now()) / 1000)));
        throw new CurfewError("rate_limited", { about: { limit: name } });
      },
    });
    return step(["rate_limited", "denylist_unavailable"], middleware);
  }

  const knownKey = (account: string, req: Request) =>
    limitKey(shards, "known", `${account}@${networkOf(req)}`);

  /** An address from which the account has signed in has tries of its own; all others share one lot. */
  async function accountKey(req: Request): Promise<string> {
    const { email } = (req.body ?? {}) as { email?: unknown };
    const account = emailDigest(typeof email === "string" ? email : "");
    const isKnown = await redis.ask((client) => client.exists(knownKey(account, req)));
    return isKnown ? `${account}@${networkOf(req)}` : account;
  }

  /** The session a genuine token names, so that many can be behind one address; the address for anything else. */
  async function sessionOr(req: Request, ...readers: (() => Promise<string | undefined>)[]): Promise<string> {
    for (const read of readers) {
      const session = await read().catch(ignoreRefusal);
      if (session !== undefined) return session;
    }
    return networkOf(req);
  }

  const accessTokenOf = (req: Request) => async () => {
    const text = readAccessToken(req, cookies)?.token;
    if (text === undefined) return undefined;
    const token = await tokens.verify(text, { allowExpired: true });
    return token.sid ?? `${subjectOf(token)} ${token.jti}`;
  };

  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must be a rejection, as above
  const refreshTokenOf = (req: Request) => async () => {
    const token = readRefreshToken(req, cookies)?.token;
    return token === undefined ? undefined : refreshTokens.verify(token).sid;
  };

  return {
    login: limit("login", rates?.login, networkOf),
    // Its headers would tell whose address is known, and so whether there is such an account.
    account: limit("account", rates?.account, accountKey, { isTold: false }),
    password: limit("password", rates?.account, (req) => ownCallerOf(req).sub),
    register: limit("register", rates?.register, networkOf),
    refresh: limit("refresh", rates?.refresh, (req) => sessionOr(req, refreshTokenOf(req))),
    logout: limit("logout", rates?.logout, (req) => sessionOr(req, accessTokenOf(req), refreshTokenOf(req))),
    // As many as at a password, though a secret that nobody chose can't be guessed.
    client: limit("client", rates?.login, networkOf),
    async rememberAddress(req, email) {
      if (!rates) return;
      const key = knownKey(emailDigest(email), req);
      await redis.ask((client) => client.set(key, "1", "EX", KNOWN_FOR_SECONDS));
    },
  };
}

function ignoreRefusal(error: unknown): undefined {
  if (!(error instanceof CurfewError)) throw error;
}

const emailDigest = (email: string) =>
  createHash("sha256")
    .update(normaliseEmail(email) ?? email)
    .digest("base64url");
