import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";
import { createSecretKey } from "node:crypto";
import { join } from "node:path";
import type { AddressInfo } from "node:net";

/**
 * One server of the comparison, in a process of its own: `servers.ts NAME`. All answer the same few bytes of JSON at /x.
 * What Curfew is compared with is written as its documentation shows.
 */
/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return -- the packages come from a cache, without types */
const load = createRequire(join(process.env["PEERS"] ?? "", "package.json"));
const url = process.env["REDIS_URL"] ?? "";
const secret = process.env["SECRET"] ?? "";

const ANSWER = { ok: true };
const key = createSecretKey(Buffer.from(secret));

type Started = { listener?: RequestListener; port?: number; headers: Record<string, string> };

function expressApp(): any {
  const app = load("express")();
  app.disable("x-powered-by");
  app.disable("etag");
  return app;
}

const jwt = () => load("jsonwebtoken");

const mint = () =>
  jwt().sign({ sub: "user", jti: "a-jti", sid: "a-sid" }, key, {
    algorithm: "HS256",
    expiresIn: "1h",
  });
const bearer = () => ({ authorization: `Bearer ${String(mint())}` });
const send = (_req: unknown, res: any) => res.json(ANSWER);

const SERVERS: Record<string, () => Promise<Started> | Started> = {
  "bare node:http": () => ({
    headers: {},
    listener: (_req, res) => {
      res.setHeader("Content-Type", "application/json").end(JSON.stringify(ANSWER));
    },
  }),

  "bare Express 5": () => ({ headers: {}, listener: expressApp().get("/x", send) }),

  "by hand: KeyObject, auto-pipelined EXISTS": () => {
    const redis = new (load("ioredis").Redis)(url, { enableAutoPipelining: true });
    const { verify } = jwt();
    const app = expressApp().get("/x", (req: any, res: any, next: any) => {
      const token = String(req.headers.authorization).slice(7);
      const claims = verify(token, key, { algorithms: ["HS256"] });
      redis.exists(`curfew:denylist:jti:${String(claims.jti)}`).then((count: number) => {
        if (count > 0) res.status(401).end();
        else send(req, res);
      }, next);
    });
    return { headers: bearer(), listener: app };
  },

  "the tutorial: jsonwebtoken and a GET": () => {
    const redis = new (load("ioredis").Redis)(url);
    const { verify } = jwt();
    const app = expressApp().get("/x", async (req: any, res: any) => {
      const token = String(req.headers.authorization).split(" ")[1] ?? "";
      if ((await redis.get(`bl_${token}`)) !== null) return res.status(401).end();
      verify(token, secret);
      return send(req, res);
    });
    return { headers: bearer(), listener: app };
  },

  "express-jwt and isRevoked": () => {
    const redis = new (load("ioredis").Redis)(url);
    const { expressjwt } = load("express-jwt");
    const isRevoked = async (_req: unknown, token: any) =>
      (await redis.exists(`revoked:${String(token?.payload.jti)}`)) > 0;
    const app = expressApp().get("/x", expressjwt({ secret, algorithms: ["HS256"], isRevoked }), send);
    return { headers: bearer(), listener: app };
  },

  "express-session and connect-redis": async () => {
    const client = await load("redis").createClient({ url }).connect();
    const { RedisStore } = load("connect-redis");
    const app = expressApp();
    const store = new RedisStore({ client });
    app.use(load("express-session")({ store, secret, resave: false, saveUninitialized: false }));
    app.get("/in", (req: any, res: any) => {
      req.session.user = "user";
      send(req, res);
    });
    app.get("/x", (req: any, res: any) => (req.session.user ? send(req, res) : res.status(401).end()));
    return { headers: { "x-log-in": "/in" }, listener: app };
  },

  "better-auth and redis": () => {
    const redis = new (load("ioredis").Redis)(url);
    const { fromNodeHeaders } = load("better-auth/node");
    const auth = load("better-auth").betterAuth({
      ...{ secret, baseURL: "http://127.0.0.1", rateLimit: { enabled: false } },
      emailAndPassword: { enabled: true },
      database: load("better-auth/adapters/memory").memoryAdapter({
        ...{ user: [], session: [], account: [], verification: [] },
      }),
      secondaryStorage: {
        get: (name: string) => redis.get(name),
        set: (name: string, value: string, ttl?: number) =>
          ttl ? redis.set(name, value, "EX", ttl) : redis.set(name, value),
        delete: (name: string) => redis.del(name),
      },
    });
    const body = { name: "user", email: "user@example.com", password: "an unlikely passphrase" };
    const app = expressApp();
    app.get("/in", async (req: any, res: any) => {
      const { headers } = await auth.api.signUpEmail({ body, returnHeaders: true });
      send(req, res.set("Set-Cookie", headers.get("set-cookie")));
    });
    app.get("/x", async (req: any, res: any) => {
      const session = await auth.api.getSession({ headers: fromNodeHeaders(req.headers) });
      return session ? send(req, res) : res.status(401).end();
    });
    return { headers: { "x-log-in": "/in" }, listener: app };
  },

  "fastify, @fastify/jwt with its cache, and redis": async () => {
    const redis = new (load("ioredis").Redis)(url, { enableAutoPipelining: true });
    const app = load("fastify").fastify();
    app.register(load("@fastify/jwt"), { secret, verify: { cache: true, algorithms: ["HS256"] } });
    app.get("/x", async (req: any, reply: any) => {
      await req.jwtVerify();
      if ((await redis.exists(`revoked:${String(req.user.jti)}`)) > 0) return reply.code(401).send();
      return ANSWER;
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { headers: bearer(), port: app.server.address().port };
  },
};

/** The library, with each algorithm and mode. */
async function curfewGuard(keys: object, mode: string): Promise<Started> {
  const { createCurfew } = createRequire(join(process.cwd(), "package.json"))("./dist/index.js");
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const curfew = createCurfew({ redis: url, keys, mode, log, timeoutMs: 2000, rateLimits: false });
  const app = expressApp();
  app.use("/api/auth", curfew.routes());
  app.get("/x", curfew.requireToken(), send);
  return Promise.resolve({ headers: { "x-register": "/api/auth/register" }, listener: app });
}

const PRIVATE_KEYS = JSON.parse(process.env["PRIVATE_KEYS"] ?? "{}") as Record<string, string>;

async function main(): Promise<void> {
  const name = process.argv[2] ?? "";
  const [, algorithm = "", mode = ""] = /^requireToken, (\w+), (\w+)$/.exec(name) ?? [];
  const keys = algorithm === "HS256" ? { secret } : { privateKey: PRIVATE_KEYS[algorithm] };
  const started = await (mode ? curfewGuard(keys, mode) : SERVERS[name]?.());
  if (!started) throw new Error(`There is no server called ${name}.`);
  const { listener, headers } = started;
  let { port } = started;
  if (listener) {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    ({ port } = server.address() as AddressInfo);
  }
  process.send?.({ port, headers });
}

void main();
