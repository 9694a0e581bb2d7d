import type { Request } from "express";
import { z } from "zod";
import type { Account } from "../../accounts/accounts";
import type { Auth } from "../../auth/auth";
import type { Grant } from "../../auth/grant";
import { CurfewError } from "../../errors";
import type { Cookies } from "../request/cookies";
import { ownCallerOf, requesterOf } from "../request/caller";
import type { ReadCredentials, Transport } from "../request/credentials";
import type { Limits } from "../request/limits";
import type { Tell } from "../request/request-log";
import { endpoint } from "../router";
import { answerTokens, Tokens } from "../answer/tokens-answer";

const Login = z
  .strictObject({
    email: z.string(),
    password: z.string(),
    transport: z
      .enum(["bearer", "cookie"])
      .nullish()
      .transform((transport) => transport ?? "bearer")
      // Not as a default: generated clients take a field with one for a field that must be sent.
      .describe("`bearer` if left out"),
  })
  .meta({ id: "Login" });
const Refresh = z.strictObject({ refresh_token: z.string().nullish() }).meta({ id: "Refresh" });
const PasswordChange = z
  .strictObject({ current_password: z.string(), new_password: z.string() })
  .meta({ id: "PasswordChange" });

export type AuthRouteParts = {
  auth: Auth;
  cookies: Cookies;
  credentialsOf: ReadCredentials;
  assertNotCrossSite: (req: Request) => void;
  limit: Pick<Limits, "password" | "rememberAddress">;
  tell: Tell;
};

export function createAuthEndpoints(parts: AuthRouteParts) {
  const { auth, cookies, credentialsOf, assertNotCrossSite, limit, tell } = parts;

  /** Otherwise another site's page could sign its visitor in to the attacker's account. */
  function assertMayHave(transport: Transport, req: Request): void {
    if (transport === "cookie") assertNotCrossSite(req);
  }

  async function signedIn(
    req: Request,
    event: "registered" | "login",
    { account, sid }: Grant,
  ): Promise<void> {
    try {
      if (account.email !== null) await limit.rememberAddress(req, account.email);
    } catch (error) {
      // The login has succeeded already. The address is remembered at the next one.
      if (!(error instanceof CurfewError)) throw error;
    }
    tell(req, event, { sub: account.id, sid });
  }

  const register = endpoint({
    name: "register",
    summary: "Open an account and log in",
    body: Login,
    answers: { 201: { description: "The account exists, and its owner is logged in", schema: Tokens } },
    errors: [
      ...(["invalid_credentials", "cross_site_request", "email_taken"] as const),
      ...(["overloaded", "denylist_unavailable"] as const),
    ],
    async handle(req, res, { email, password, transport }) {
      assertMayHave(transport, req);
      const grant = await auth.register(email, password, requesterOf(req));
      await signedIn(req, "registered", grant);
      answerTokens(res.status(201), grant, transport, cookies);
    },
  });

  const login = endpoint({
    name: "login",
    summary: "Log in",
    body: Login,
    answers: { 200: { description: "Logged in", schema: Tokens } },
    errors: ["invalid_credentials", "cross_site_request", "overloaded", "denylist_unavailable"],
    async handle(req, res, { email, password, transport }) {
      assertMayHave(transport, req);
      const grant = await auth.login(email, password, requesterOf(req));
      await signedIn(req, "login", grant);
      answerTokens(res, grant, transport, cookies);
    },
  });

  const refresh = endpoint({
    name: "refresh",
    summary: "Exchange a refresh token for the next pair",
    body: Refresh.optional(),
    answers: { 200: { description: "The next pair", schema: Tokens } },
    errors: ["token_missing", "refresh_token_invalid", "refresh_token_reused", "denylist_unavailable"],
    async handle(req, res) {
      const { accessCookie, refresh, refreshToken } = credentialsOf(req);
      const transport = refresh()?.transport ?? "bearer";
      const isByCookie = transport === "cookie";
      const beside = isByCookie ? accessCookie() : undefined;
      const request = { token: refreshToken(), beside, keepYoung: isByCookie };
      answerTokens(res, await auth.refresh(request, requesterOf(req)), transport, cookies);
    },
  });

  const changePassword = endpoint({
    name: "changePassword",
    summary: "Change the password, which ends every session, and log in anew",
    body: PasswordChange,
    answers: { 200: { description: "The tokens of a new session", schema: Tokens } },
    errors: ["invalid_credentials", "own_session_required", "overloaded", ...limit.password.errors],
    async handle(req, res, { current_password: current, new_password: next }) {
      const assertMayTry = ({ email }: Account) => limit.password.count(req, res, email);
      const grant = await auth.changePassword(
        ownCallerOf(req),
        { current, next, assertMayTry },
        requesterOf(req),
      );
      tell(req, "password_changed", { sub: grant.account.id, sid: grant.sid });
      // As the caller's token was sent.
      const transport = credentialsOf(req).access()?.transport ?? "bearer";
      answerTokens(res, grant, transport, cookies);
    },
  });

  return { register, login, refresh, changePassword };
}
