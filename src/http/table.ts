import type { Request } from "express";
import type { Core } from "../core";
import type { Settings } from "../settings/table";
import { createAuthEndpoints } from "./routes/auth";
import { readJson, requireJson } from "./request/body";
import { createCookies } from "./request/cookies";
import { createCredentials, readAccess } from "./request/credentials";
import { createCrossSiteCheck } from "./request/cross-site";
import { createCheck, requireToken } from "./guard";
import { createLimits } from "./request/limits";
import { createLogoutEndpoints } from "./routes/logout";
import { createOwnPagesOnly } from "./request/own-pages";
import { createTell } from "./request/request-log";
import { goodBody, type Route } from "./router";
import { createSessionEndpoints } from "./routes/sessions";
import { originalMethod, verify } from "./routes/verify";

export type AuthTableOptions = Pick<Settings, "cookies" | "trustedOrigins" | "rateLimits"> & {
  /** Left out, there are. Without accounts, only outside issuers' tokens are accepted, and can be logged out. */
  hasAccounts?: boolean;
};

/** How a successful logout is answered. */
export type LogoutAnswer = "json" | "no-content";

/**
 * Returns the routes to log in and out, for the service and for apps that mount them, and the parts they are made of.
 */
export function createAuthTable(core: Core, options: AuthTableOptions) {
  const { auth, tokens, refreshTokens, denylist, redis, shards, meter, log } = core;
  const cookies = createCookies(options.cookies);
  const credentialsOf = createCredentials(cookies, refreshTokens);
  const assertNotCrossSite = createCrossSiteCheck(options.trustedOrigins);

  const tell = createTell(log);
  const limit = createLimits({ redis, shards, credentialsOf }, options.rateLimits);

  const guard = {
    ...{ tokens, denylist, assertNotCrossSite, meter },
    readAccess: (req: Request) => readAccess(req, cookies),
  };
  const check = createCheck(guard);
  const token = requireToken(check);
  const forwardedToken = requireToken(createCheck(guard, originalMethod));

  const ownPagesOnly = createOwnPagesOnly(credentialsOf, assertNotCrossSite);

  const story = { auth, cookies, credentialsOf, tell };
  const { register, login, refresh, changePassword } = createAuthEndpoints({
    ...story,
    assertNotCrossSite,
    limit,
  });
  const { logoutWithJson, logoutWithoutContent } = createLogoutEndpoints({
    ...story,
    limitTries: limit.logout,
  });
  const { listSessions, endSession, endOtherSessions } = createSessionEndpoints(auth, tell);

  // The routes behind ownPagesOnly, logout and refresh, have no guard: they accept credentials that the guard would
  // refuse, and check them themselves.
  const logoutRoute = (method: "post" | "delete", path: string, answer: LogoutAnswer): Route => [
    ...([method, path, readJson, ownPagesOnly] as const),
    answer === "json" ? logoutWithJson : logoutWithoutContent,
  ];

  const allRoutes = (answerLogoutWith: LogoutAnswer): Route[] => [
    // The body is checked first. Another site's page can't send JSON, so it can't use up its visitor's attempts; and a
    // body that is invalid costs no attempt either.
    ["post", "/register", requireJson, goodBody(register), limit.register, register],
    ["post", "/login", requireJson, goodBody(login), limit.login, limit.account, login],
    ["post", "/refresh", readJson, ownPagesOnly, goodBody(refresh), limit.refresh, refresh],
    logoutRoute("post", "/logout", answerLogoutWith),
    ["get", "/sessions", token, listSessions],
    ["delete", "/sessions", token, endOtherSessions],
    ["delete", "/sessions/:id", token, endSession],
    ["post", "/password", token, requireJson, changePassword],
  ];
  const authRoutes = (answerLogoutWith: LogoutAnswer) =>
    allRoutes(answerLogoutWith).filter(([, path]) => options.hasAccounts !== false || path === "/logout");
  // Gateways ask with the method of the original request. It may be OPTIONS, which must not get a preflight's 204: the
  // gateway would take it for a yes.
  const verifyRoute: Route = ["all", "/verify{/*path}", forwardedToken, verify];

  return { authRoutes, logoutRoute, verifyRoute, ownPagesOnly, token, check, limit, cookies, tell };
}
