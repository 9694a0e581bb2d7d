import type { IncomingMessage, ServerResponse } from "node:http";
import express from "express";
import helmet from "helmet";
import type { OAuthClient } from "../settings/clients";
import type { Settings } from "../settings/table";
import type { Core } from "../core";
import { createMetrics } from "../metrics/metrics";
import type { Meter } from "../metrics/meter";
import { createClasses } from "./born";
import { createDirect } from "./direct";
import { requireRole } from "./guard";
import { readForm, readJson, requireForm, requireJson } from "./request/body";
import { createBudget } from "./request/budget";
import { requireClient } from "./request/client-guard";
import { createAuthTable, type AuthTableOptions } from "./table";
import { createCrossOriginSharing } from "./request/cross-origin";
import { browserClient } from "./routes/browser-client";
import { opsConsole } from "./routes/console";
import { demo } from "./routes/demo";
import { createDescription, docs } from "./routes/docs";
import { constantHeaders } from "./answer/constant-headers";
import { createErrorHandler, notFound, oauthErrorOf } from "./answer/error-handler";
import { createBackchannelLogout } from "./routes/backchannel-logout";
import { createReadyz, healthz } from "./routes/health";
import { createPublishedKeys } from "./routes/keys";
import { allowScrapes, createMetricsEndpoint } from "./routes/metrics";
import { neverCached } from "./answer/never-cached";
import { createServerMetadata } from "./routes/oauth-metadata";
import { createPageFiles } from "./answer/page";
import { createOAuthEndpoints } from "./routes/oauth";
import { createOpsEndpoints } from "./routes/ops";
import { createEventStream } from "./routes/ops-events";
import { createOpsChanges } from "./routes/ops-changes";
import type { RouteTable } from "./answer/openapi";
import { createRequestCount } from "./request/request-count";
import { createRequestLog, giveRequestId } from "./request/request-log";
import { createRouter, type Route } from "./router";
import type { App } from "./server";
import { createMeEndpoint } from "./routes/users";

/** `isStopping` may be left out if the app never drains before it stops. */
export type AppCore = Core & { meter: Meter; isStopping?: () => boolean };

export type AppOptions = AuthTableOptions &
  Pick<Settings, "trustProxy" | "timeoutMs" | "metricsToken" | "issuer" | "demo"> & {
    clients: readonly OAuthClient[];
  };

export function createApp(core: AppCore, options: AppOptions): App {
  const { auth, ops, people, revocations, keys, denylist, alarms, meter, log } = core;
  const { isStopping = () => false } = core;
  const { authRoutes, logoutRoute, verifyRoute, ownPagesOnly, token, limit, cookies, tell } = createAuthTable(
    core,
    options,
  );

  const knownWarnings = () => [...core.redis.warnings(), ...core.issuerWarnings()];

  const client = requireClient({ clients: options.clients, limitTries: limit.client, tell });
  const { revoke, introspect } = createOAuthEndpoints({ auth, tell, alarms, meter, log });

  const backchannelLogout = createBackchannelLogout({
    issuerLogout: core.issuerLogout,
    limitTries: limit.backchannel,
    tell,
  });

  const opsRole = requireRole("ops");
  const { list, show, why, sessions, status } = createOpsEndpoints(ops, people);
  const events = createEventStream({ events: ops.events, denylist, revocations, isStopping });
  const { revoke: revokeByOps, lift } = createOpsChanges({ ops, auth, tell });

  /** For accounts with the role ops. No outside issuer can give it. */
  const opsTable: RouteTable = {
    base: "/api/ops",
    routes: [
      ["get", "/revocations", token, opsRole, list],
      ["post", "/revocations", token, opsRole, requireJson, revokeByOps],
      ["get", "/revocations/:kind/:id", token, opsRole, show],
      ["delete", "/revocations/:kind/:id", token, opsRole, readJson, lift],
      ["post", "/why", token, opsRole, requireJson, why],
      ["get", "/users/:id/sessions", token, opsRole, sessions],
      // Other sites' pages couldn't read it, but could take all the places that there are for streams.
      ["get", "/events", ownPagesOnly, token, opsRole, events],
      ["get", "/status", token, opsRole, status],
    ],
  };
  const { hasAccounts = true } = options;
  const hasDemo = options.demo && hasAccounts;
  const pages: Route[] = [
    ...(hasAccounts ? [["get", "/ops", opsConsole] satisfies Route] : []),
    ...(hasDemo ? [["get", "/", demo] satisfies Route] : []),
  ];

  /** Routes for servers: they get no CORS headers, because no page has a client's secret. */
  const serverTables: RouteTable[] = [
    ...AUTH_BASES.map((base) => ({ base, routes: [verifyRoute] })),
    {
      base: "/oauth",
      routes: [
        ["post", "/revoke", readForm, client, requireForm, revoke],
        ["post", "/introspect", readForm, client, requireForm, introspect],
        ["post", "/backchannel-logout", readForm, requireForm, backchannelLogout],
      ],
    },
    { base: "", routes: [["get", "/metrics", createMetricsEndpoint(createMetrics(core))]] },
  ];
  const tables: RouteTable[] = [
    { base: "/api/auth", routes: authRoutes("json") },
    { base: "/api/v1/auth", routes: authRoutes("no-content") },
    ...(hasAccounts ? [opsTable] : []),
    {
      base: "",
      routes: [
        ["get", "/api/users/me", token, createMeEndpoint(auth)],
        logoutRoute("delete", "/v1/auth/session", "json"),
        ["get", "/healthz", healthz],
        ["get", "/readyz", createReadyz(denylist, knownWarnings, isStopping)],
        ["get", "/.well-known/jwks.json", createPublishedKeys(keys)],
        ...(createServerMetadata(options.issuer) satisfies Route[]),
        ["get", "/openapi.json", createDescription(() => [...tables, ...serverTables], cookies.accessName)],
        ["get", "/docs", docs],
        ["get", "/curfew.js", browserClient],
        ...pages,
      ],
    },
  ];

  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("trust proxy", options.trustProxy);
  const first = [
    ...[giveRequestId, createRequestLog(log), createRequestCount(meter)],
    createBudget(options.timeoutMs),
    constantHeaders(helmet(SECURITY_HEADERS)),
  ];
  app.use(first);
  app.use(["/api", "/v1", "/oauth", "/metrics"], neverCached);
  app.use("/metrics", allowScrapes(options.metricsToken));
  for (const { base, routes } of serverTables) app.use(base, createRouter(routes));
  app.use(createCrossOriginSharing(options.trustedOrigins));
  for (const folder of hasDemo ? [...PAGES, "demo"] : PAGES) app.use(`/${folder}`, createPageFiles(folder));
  for (const { base, routes } of tables) app.use(base, createRouter(routes));
  app.use(notFound);
  app.use("/oauth", createErrorHandler(log, tell, alarms, oauthErrorOf));
  const handleError = createErrorHandler(log, tell, alarms);
  app.use(handleError);

  const direct = createDirect(app, {
    bases: AUTH_BASES,
    route: verifyRoute,
    first: [...first, neverCached],
    handleError,
  });
  const handle = (req: IncomingMessage, res: ServerResponse, giveUp?: () => void) => {
    if (!direct(req, res)) (app as unknown as typeof handle)(req, res, giveUp);
  };
  return Object.assign(handle, { classes: createClasses(app) });
}

const AUTH_BASES = ["/api/auth", "/api/v1/auth"];

/** Folders of files that pages load. */
const PAGES = ["shared", "docs", "ops"];

/** A policy for an API: no answer may be run, framed or embedded. */
const SECURITY_HEADERS = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  frameguard: { action: "deny" },
  strictTransportSecurity: { maxAge: 2 * 365 * 86_400, includeSubDomains: true },
} satisfies Parameters<typeof helmet>[0];
