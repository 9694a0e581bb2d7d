import { createHash } from "node:crypto";
import type { Request, Response } from "express";
import { ipKeyGenerator, rateLimit } from "express-rate-limit";
import { normaliseEmail } from "../../accounts/accounts";
import { attempt, CurfewError } from "../../errors";
import type { Redis } from "../../redis/redis";
import type { Rate } from "../../settings/kinds";
import type { Settings } from "../../settings/table";
import type { Shards } from "../../redis/shards";
import { addressOf, knownOf } from "./caller";
import type { ReadCredentials } from "./credentials";
import { createLimitStore, limitKey } from "./limit-store";
import { runStep, step, type Step } from "./step";

export type LimitParts = {
  redis: Redis;
  shards: Shards;
  credentialsOf: ReadCredentials;
};

/** `logout`, `client` and `backchannel` run only for requests that are refused, and count only those. */
export type Limits = Record<
  "login" | "account" | "register" | "refresh" | "logout" | "client" | "backchannel",
  Step
> & {
  /** The two limits of a login, counted apart, for attempts to change the password. */
  password: PasswordLimit;
  /**
   * Remembers that this account signed in from this address, so that nobody elsewhere can use up its owner's attempts.
   */
  rememberAddress: (req: Request, email: string) => Promise<void>;
};

type PasswordLimit = Pick<Step, "errors"> & {
  count(req: Request, res: Response, email: string): Promise<void>;
};

const IPV6_SUBNET = 56;
const KNOWN_FOR_SECONDS = 30 * 86_400;

const networkOf = (req: Request) => ipKeyGenerator(addressOf(req) ?? "unknown", IPV6_SUBNET);

/** Without `rates`, nothing is limited. */
export function createLimits(parts: LimitParts, rates: Settings["rateLimits"]): Limits {
  const { redis, shards, credentialsOf } = parts;

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
      // Its validation would complain on the console about what clients put into headers. Settings are checked at
      // start.
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

  /** An address from which the account has signed in has a counter of its own; all others share one. */
  async function accountKey(req: Request): Promise<string> {
    const account = emailDigest(knownOf(req).triedEmail ?? (req.body as { email: string }).email);
    const isKnown = await redis.ask((client) => client.exists(knownKey(account, req)));
    return isKnown ? `${account}@${networkOf(req)}` : account;
  }

  /** The session that a genuine refresh token names, so that many can share an address; else the address. */
  const sessionKey = (req: Request): string =>
    attempt(credentialsOf(req).refreshToken)?.sid ?? networkOf(req);

  /** Sends no RateLimit headers: they would tell whether an address is known, and so whether the account exists. */
  const limitAccount = (name: string) => limit(name, rates?.account, accountKey, { isTold: false });

  const passwordSteps = [limit("password", rates?.login, networkOf), limitAccount("password-account")];

  return {
    login: limit("login", rates?.login, networkOf),
    account: limitAccount("account"),
    password: {
      errors: passwordSteps.flatMap(({ errors }) => errors),
      async count(req, res, email) {
        knownOf(req).triedEmail = email;
        for (const each of passwordSteps) await runStep(each, req, res);
      },
    },
    register: limit("register", rates?.register, networkOf),
    refresh: limit("refresh", rates?.refresh, sessionKey),
    logout: limit("logout", rates?.logout, networkOf),
    // Counted apart, so that somebody's forged tokens don't use up the tries of those who log out here.
    backchannel: limit("backchannel", rates?.logout, networkOf),
    // The same rate as for passwords, although a generated secret can't be guessed.
    client: limit("client", rates?.login, networkOf),
    async rememberAddress(req, email) {
      if (!rates) return;
      const key = knownKey(emailDigest(email), req);
      await redis.ask((client) => client.set(key, "1", "EX", KNOWN_FOR_SECONDS));
    },
  };
}

const emailDigest = (email: string) =>
  createHash("sha256")
    .update(normaliseEmail(email) ?? email)
    .digest("base64url");
