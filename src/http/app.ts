import express, { type Express, type RequestHandler } from "express";
import type { Logger } from "pino";
import type { Auth } from "../auth";
import type { Denylist } from "../denylist/denylist";
import type { Redis } from "../redis";
import type { AccessTokens } from "../tokens/access-tokens";
import { createAuthHandlers, loggedOut, noContent, verify } from "./auth-routes";
import { readJson } from "./body";
import { createErrorHandler, notFound } from "./error-handler";
import { requireToken } from "./guard";
import { createReadyzHandler, healthz } from "./health-routes";
import { requestId } from "./request-id";
import { createRouter } from "./routes";
import { createMeHandler } from "./user-routes";

export type AppParts = {
  auth: Auth;
  accessTokens: AccessTokens;
  denylist: Denylist;
  redis: Redis;
  log: Logger;
};

export function createApp({ auth, accessTokens, denylist, redis, log }: AppParts): Express {
  const token = requireToken(accessTokens, denylist);
  const handle = createAuthHandlers(auth);

  const authRoutes = (logoutAnswer: RequestHandler) =>
    createRouter([
      ["post", "/register", readJson, handle.register],
      ["post", "/login", readJson, handle.login],
      // Not guarded: these two take a credential that the guard would refuse, and judge it themselves.
      ["post", "/refresh", readJson, handle.refresh],
      ["post", "/logout", readJson, handle.logout(logoutAnswer)],
      ["get", "/sessions", token, handle.listSessions],
      ["delete", "/sessions", token, handle.endOtherSessions],
      ["delete", "/sessions/:id", token, handle.endSession],
      ["post", "/password", token, readJson, handle.changePassword],
      // Gateways pass on the method of the request they ask about.
      ["all", "/verify{/*path}", token, verify],
    ]);

  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use(requestId);
  app.use(["/api", "/v1", "/oauth"], noStore);
  app.use("/api/auth", authRoutes(loggedOut));
  app.use("/api/v1/auth", authRoutes(noContent));
  app.use(
    createRouter([
      ["get", "/api/users/me", token, createMeHandler(auth)],
      ["get", "/healthz", healthz],
      ["get", "/readyz", createReadyzHandler(redis)],
    ]),
  );
  app.use(notFound);
  app.use(createErrorHandler(log));
  return app;
}

const noStore: RequestHandler = (_req, res, next) => {
  res.set("Cache-Control", "no-store");
  next();
};
