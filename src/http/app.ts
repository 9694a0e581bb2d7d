import express, { type Express, type RequestHandler } from "express";
import helmet from "helmet";
import type { Parts } from "../parts";
import { withBudget } from "../redis/budget";
import type { Rates } from "../settings";
import { createAuthEndpoints } from "./auth-routes";
import { readJson, requireJson } from "./body";
import { createCookies } from "./cookies";
import { createCrossOriginSharing } from "./cross-origin";
import { createCrossSiteCheck } from "./cross-site";
import { createDescription, docs, docsFiles } from "./docs-routes";
import { createErrorHandler, notFound } from "./error-handler";
import { requireToken } from "./guard";
import { createReadyz, healthz } from "./health-routes";
import { createPublishedKeys } from "./key-routes";
import { createLimits } from "./limits";
import { createLogoutEndpoints } from "./logout-routes";
import type { RouteTable } from "./openapi";
import { createOwnPagesOnly } from "./own-pages";
import { createRequestLog, createTell } from "./request-log";
import { createRouter, type Endpoint, type Route } from "./routes";
import { createSessionEndpoints } from "./session-routes";
import { createMeEndpoint } from "./user-routes";
import { originalMethod, verify } from "./verify-routes";

/** `isStopping` is left out where nothing is ever stopped. */
export type AppParts = Parts & { isStopping?: () => boolean };

export type AppOptions = {
  cookieSecure: boolean;
  corsOrigins: string[];
  trustProxy: number | string[];
  redisTimeoutMs: number;
  rateLimits: Rates | undefined;
};

export function createApp(parts: AppParts, options: AppOptions): Express {
  const { auth, keys, tokens, refreshTokens, denylist, redis, shards, log } = parts;
  const { isStopping = () => false } = parts;
  const cookies = createCookies(options.cookieSecure);
  const assertNotCrossSite = createCrossSiteCheck(options.corsOrigins);

  const tell = createTell(log);
  const limit = createLimits({ redis, shards, tokens, refreshTokens, cookies }, options.rateLimits);

  const guard = { tokens, denylist, cookies, assertNotCrossSite };
  const token = requireToken(guard);
  const forwardedToken = requireToken(guard, originalMethod);

  const ownPagesOnly = createOwnPagesOnly(cookies, assertNotCrossSite);

  const story = { auth, cookies, assertNotCrossSite, tell };
  const { register, login, refresh, changePassword } = createAuthEndpoints({
    ...story,
    rememberAddress: limit.rememberAddress,
  });
  const { logoutWithJson, logoutWithoutContent } = createLogoutEndpoints(story);
  const { listSessions, endSession, endOtherSessions } = createSessionEndpoints(auth, tell);

  const authRoutes = (logout: Endpoint): Route[] => [
    // The body first: a page of somebody else's can't send JSON, and must not use up its visitor's tries.
    ["post", "/register", requireJson, limit.register, register],
    ["post", "/login", requireJson, limit.login, limit.account, login],
    // Not guarded: these two take credentials that the guard would refuse, and judge them themselves.
    ["post", "/refresh", readJson, ownPagesOnly, limit.refresh, refresh],
    ["post", "/logout", readJson, ownPagesOnly, limit.logout, logout],
    ["get", "/sessions", token, listSessions],
    ["delete", "/sessions", token, endOtherSessions],
    ["delete", "/sessions/:id", token, endSession],
    ["post", "/password", token, limit.password, requireJson, changePassword],
  ];
  // Gateways pass on the method of the request they ask about. It may be OPTIONS, and a preflight's answer would let it in.
  const verifyRoutes: Route[] = [["all", "/verify{/*path}", forwardedToken, verify]];

  const gatewayTables: RouteTable[] = [
    { base: "/api/auth", routes: verifyRoutes },
    { base: "/api/v1/auth", routes: verifyRoutes },
  ];
  const tables: RouteTable[] = [
    { base: "/api/auth", routes: authRoutes(logoutWithJson) },
    { base: "/api/v1/auth", routes: authRoutes(logoutWithoutContent) },
    {
      base: "",
      routes: [
        ["get", "/api/users/me", token, createMeEndpoint(auth)],
        ["delete", "/v1/auth/session", readJson, ownPagesOnly, limit.logout, logoutWithJson],
        ["get", "/healthz", healthz],
        ["get", "/readyz", createReadyz(denylist, redis, isStopping)],
        ["get", "/.well-known/jwks.json", createPublishedKeys(keys)],
        ["get", "/openapi.json", createDescription(() => [...tables, ...gatewayTables], cookies.accessName)],
        ["get", "/docs", docs],
      ],
    },
  ];

  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("trust proxy", options.trustProxy);
  app.use(createRequestLog(log));
  app.use((_req, _res, next) => {
    withBudget(options.redisTimeoutMs, next);
  });
  app.use(helmet(SECURITY_HEADERS));
  app.use(["/api", "/v1", "/oauth"], neverCached);
  for (const { base, routes } of gatewayTables) app.use(base, createRouter(routes));
  app.use(createCrossOriginSharing(options.corsOrigins));
  app.use("/docs", docsFiles);
  for (const { base, routes } of tables) app.use(base, createRouter(routes));
  app.use(notFound);
  app.use(createErrorHandler(log, tell));
  return app;
}

/** An API's policy: nothing of ours is to be run, framed or embedded. */
const SECURITY_HEADERS = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  frameguard: { action: "deny" },
  strictTransportSecurity: { maxAge: 2 * 365 * 86_400, includeSubDomains: true },
} satisfies Parameters<typeof helmet>[0];

const neverCached: RequestHandler = (_req, res, next) => {
  res.set("Cache-Control", "no-store");
  res.vary("Authorization, Cookie");
  next();
};
