import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import pino from "pino";
import request from "supertest";
import { CurfewError } from "../../src/errors";
import { createApp } from "../../src/http/app";
import { createCore } from "../../src/core";
import { createMeter } from "../../src/metrics/meter";
import { connectMemory } from "../../src/redis/links/memory-link";
import type { Redis } from "../../src/redis/redis";
import { createOneShard } from "../../src/redis/shards";
import { createAccessTokens } from "../../src/tokens/access-tokens";
import { createForeignTokens } from "../../src/issuers/foreign-tokens";
import { createKeyRing } from "../../src/keys/key-ring";
import { readSecret } from "../../src/keys/keys";
import { readConfig } from "../../src/settings/config";
import { PASSWORD } from "../helpers/client";
import { SECRET } from "../helpers/service";

/** Long enough for a busy machine: nothing here is about slow answers. */
const TIMEOUT_MS = 5000;

/** The whole service in this process, on ioredis-mock: what is tested here needs nothing of Redis. */
function createTestApp(redis: Redis = connectMemory(TIMEOUT_MS), options: Partial<typeof OPTIONS> = {}) {
  const printed: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void printed.push(line) });
  const keys = createKeyRing(readSecret(SECRET));
  const shards = createOneShard("curfew:");
  const foreignTokens = createForeignTokens([], { clockToleranceSeconds: 0, log });
  const meter = createMeter();
  const core = createCore({ ...OPTIONS, redis, shards, keys, foreignTokens, meter, log });
  return { app: createApp({ ...core, meter }, { ...OPTIONS, ...options }), printed };
}

const OPTIONS = readConfig({
  JWT_SECRET: SECRET,
  REDIS_URL: "memory://",
  REDIS_TIMEOUT_MS: String(TIMEOUT_MS),
  RATE_LIMIT: "off",
});

const { app } = createTestApp();
const { app: withClient } = createTestApp(connectMemory(TIMEOUT_MS), {
  clients: [{ id: "gateway", secretHash: createHash("sha256").update("secret").digest() }],
});
const email = "someone@example.com";

const expectError = (response: request.Response, status: number, error: string, code: string) => {
  expect(response.body).toMatchObject({
    error,
    code,
    message: expect.stringMatching(/^[A-Z].*\.$/) as string,
  });
  expect(response.status).toBe(status);
  expect(response.headers["content-type"]).toBe("application/json; charset=utf-8");
  expect(response.headers["x-powered-by"]).toBeUndefined();
  expect(response.headers).toMatchObject({
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "content-security-policy": "default-src 'none';frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
  });
};

let accessToken: string;
beforeAll(async () => {
  const response = await request(app).post("/api/auth/register").send({ email, password: PASSWORD });
  expect(response.status).toBe(201);
  accessToken = (response.body as { access_token: string }).access_token;
});

const AUTH_ROUTES = [
  ["post", "/register"],
  ["post", "/login"],
  ["post", "/refresh"],
  ["post", "/logout"],
  ["get", "/sessions"],
  ["delete", "/sessions"],
  ["delete", "/sessions/x"],
  ["post", "/password"],
  ["get", "/verify"],
] as const;

describe.each(["/api/auth", "/api/v1/auth"])("under %s", (base) => {
  it.each(AUTH_ROUTES)("%s %s is a route, and none of its answers may be cached", async (method, path) => {
    const response = await request(app)[method](base + path);
    expect([400, 401, 415]).toContain(response.status);
    expect(response.headers["cache-control"]).toBe("no-store");
  });

  it.each([
    ["GET", "/logout", "POST"],
    ["PUT", "/login", "POST"],
    ["TRACE", "/refresh", "POST"],
    ["POST", "/sessions", "GET, HEAD, DELETE"],
    ["GET", "/sessions/x", "DELETE"],
  ])("%s %s gives 405, and says what the route answers to", async (method, path, allow) => {
    const response = await request(app)
      [method.toLowerCase() as "get"](base + path)
      .set("Authorization", `Bearer ${accessToken}`);
    expectError(response, 405, "Method Not Allowed", "method_not_allowed");
    expect(response.headers["allow"]).toBe(allow);
    expect(
      (await request(app).get("/api/users/me").set("Authorization", `Bearer ${accessToken}`)).status,
    ).toBe(200);
  });
});

describe("no other spelling of a method gets anything done", () => {
  const OVERRIDES = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];
  const ask = (method: "get" | "head" | "post", path: string) =>
    OVERRIDES.reduce(
      (asked, name) => asked.set(name, method === "post" ? "DELETE" : "POST"),
      request(app)[method](path).set("Authorization", `Bearer ${accessToken}`),
    );
  const isAlive = async () => {
    const response = await request(app).get("/api/users/me").set("Authorization", `Bearer ${accessToken}`);
    return response.status === 200;
  };

  it.each([
    ["get", "/api/auth/logout?_method=POST", 405],
    ["head", "/api/auth/logout", 405],
    ["head", "/v1/auth/session", 405],
    ["post", "/v1/auth/session?_method=DELETE", 405],
    ["post", "/api/auth/sessions?_method=DELETE", 405],
    ["get", "/api/auth/sessions?_method=DELETE", 200],
    ["head", "/api/auth/sessions?_method=DELETE", 200],
  ] as const)(
    "%s %s, whatever else is said of it, is %i and logs nobody out",
    async (method, path, status) => {
      const sent = ask(method, path);
      const response = await (method === "post" ? sent.send({ _method: "DELETE" }) : sent);
      expect(response.status).toBe(status);
      expect(await isAlive()).toBe(true);
    },
  );

  it("HEAD is guarded as GET is", async () => {
    for (const path of ["/api/users/me", "/api/auth/sessions", "/api/auth/verify"]) {
      expect((await request(app).head(path)).status).toBe(401);
      expect((await request(app).head(path).set("Authorization", "Bearer x.y.z")).status).toBe(401);
    }
  });

  it("a cookie from somebody else's page isn't helped by it", async () => {
    const response = await request(app)
      .post("/api/auth/logout")
      .set({ Cookie: `curfew_access=${accessToken}`, Origin: "https://evil.example" })
      .set(OVERRIDES[0] ?? "", "GET");
    expectError(response, 403, "Forbidden", "cross_site_request");
    expect(await isAlive()).toBe(true);
  });
});

describe("a request body", () => {
  const post = () => request(app).post("/api/auth/login");

  it("is refused in any form that a page of somebody else's could send", async () => {
    const json = JSON.stringify({ email, password: PASSWORD });
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
    ]) {
      expectError(
        await post().set("Content-Type", type).send(json),
        415,
        "Unsupported Media Type",
        "unsupported_media_type",
      );
    }
    const untyped = await post().set("Content-Type", "").send(json);
    expectError(untyped, 415, "Unsupported Media Type", "unsupported_media_type");
  });

  it("may be empty in any form, where there needn't be one", async () => {
    for (const type of ["text/plain", "application/json", ""]) {
      const response = await request(app)
        .post("/api/auth/logout")
        .set({ "Content-Type": type, "Transfer-Encoding": "chunked" });
      expectError(response, 401, "Unauthorized", "token_missing");
    }
  });

  it("is refused without a word of the parser's when it is no JSON", async () => {
    for (const text of ["{", "{'a':1}", '{"a":}', "nul", "\u0000", '{"a":1}x', "[1,]"]) {
      const response = await post().set("Content-Type", "application/json").send(text);
      expectError(response, 400, "Bad Request", "invalid_json");
      expect(response.text).not.toMatch(/Unexpected|SyntaxError|at /);
    }
  });

  it("is refused likewise wherever it breaks off, and with anything in its way", async () => {
    const whole = JSON.stringify({ email: 'é\u0000"\\', password: [null, -1.5e3, { x: true }] });
    const cut = Array.from({ length: whole.length - 1 }, (_, at) => whole.slice(0, at + 1));
    const bent = Array.from(whole, (_, at) => `${whole.slice(0, at)}\u0001${whole.slice(at)}`);
    const odd = ["NaN", "{a:1}", '{"a":1e}', '{"a":01}', '{"a":"\\x"}', '{"a":"\\uD8"}', "[1 2]", "/**/{}"];
    for (const text of [...cut, ...bent, ...odd]) {
      const response = await post().set("Content-Type", "application/json").send(text);
      expect([text, response.body]).toMatchObject([text, { code: "invalid_json" }]);
      expectError(response, 400, "Bad Request", "invalid_json");
    }
  });

  it("is refused when it is no object", async () => {
    for (const text of ["1", "null", "[]", '"s"', "true", ""]) {
      const response = await post().set("Content-Type", "application/json").send(text);
      expectError(response, 400, "Bad Request", "invalid_request");
    }
  });

  it("may have null for what is optional, which is as if it weren't there", async () => {
    const credentials = { email, password: PASSWORD, transport: null };
    const response = await post().send(credentials);
    const { access_token, refresh_token } = response.body as { access_token: string; refresh_token: string };
    expect(access_token).toBeTruthy();
    const call = (path: string, sent: string) =>
      request(app)
        .post(`/api/v1/auth/${path}`)
        .set({ Authorization: `Bearer ${access_token}`, "Content-Type": "application/json" })
        .send(sent);
    expect((await call("refresh", JSON.stringify({ refresh_token }))).status).toBe(200);
    for (const sent of ['{"refresh_token":null,"all_devices":null}', "null"])
      expect((await call("logout", sent)).status).toBe(204);
    expectError(
      await call("password", '{"current_password":null,"new_password":"x"}'),
      401,
      "Unauthorized",
      "token_revoked",
    );
    const required = await post().send({ email, password: null });
    expectError(required, 400, "Bad Request", "invalid_request");
  });

  it("is refused, and nothing breaks, when it is 8,000 deep", async () => {
    for (const deep of [
      "[".repeat(8000) + "]".repeat(8000),
      '{"email":' + "[".repeat(7000) + "]".repeat(7000) + "}",
    ]) {
      const response = await post().set("Content-Type", "application/json").send(deep);
      expectError(response, 400, "Bad Request", "invalid_request");
    }
  });

  it("may have 16 KiB, zipped or not, and no more", async () => {
    const sized = (bytes: number) => `{"x":"${"y".repeat(bytes - 8)}"}`;
    const send = (body: string | Buffer) => post().set("Content-Type", "application/json").send(body);
    expectError(await send(sized(16_384)), 400, "Bad Request", "invalid_request");
    expectError(await send(sized(16_385)), 413, "Payload Too Large", "body_too_large");
    const bomb = await post()
      .set("Content-Type", "application/json")
      .set("Content-Encoding", "gzip")
      .serialize((body) => body as string)
      .send(gzipSync(sized(5_000_000)));
    expectError(bomb, 413, "Payload Too Large", "body_too_large");
  });

  it("is refused in an encoding or charset that isn't ours", async () => {
    const send = (headers: Record<string, string>) =>
      post()
        .set({ "Content-Type": "application/json", ...headers })
        .send("{}");
    for (const headers of [
      { "Content-Encoding": "foo" },
      { "Content-Type": "application/json; charset=foo" },
      { "Content-Type": "application/json; charset=iso-8859-1" },
      { "Content-Type": "application/json; charset=utf-16" },
    ]) {
      expectError(await send(headers), 415, "Unsupported Media Type", "unsupported_media_type");
    }
    // Not in what they say they are.
    for (const encoding of ["br", "gzip", "deflate"]) {
      expectError(await send({ "Content-Encoding": encoding }), 400, "Bad Request", "invalid_request");
    }
  });

  it("is told which media type is wanted, if it has another", async () => {
    const json = "The request body must be application/json, in UTF-8.";
    const form = "The request body must be application/x-www-form-urlencoded, in UTF-8.";
    const secret = Buffer.from("gateway:secret").toString("base64");
    for (const [path, type, message] of [
      ["/api/auth/login", "text/plain", json],
      ["/api/auth/logout", "text/plain", json],
      ["/api/auth/logout", "application/json; charset=utf-16", json],
      ["/api/auth/refresh", "application/xml", json],
      ["/oauth/introspect", "application/json", form],
      ["/oauth/revoke", "application/x-www-form-urlencoded; charset=utf-16", form],
    ] as const) {
      const response = await request(withClient)
        .post(path)
        .set({ "Content-Type": type, Authorization: `Basic ${secret}` })
        .send("{}");
      expect([path, response.status, (response.body as { message: string }).message]).toEqual([
        path,
        415,
        message,
      ]);
    }
  });

  it("is told everything that is wrong with it", async () => {
    const response = await post().send({ email: 1, pasword: "x", transport: "carrier pigeon" });
    expectError(response, 400, "Bad Request", "invalid_request");
    const { details } = response.body as { details: { path: string; message: string }[] };
    expect(details.map(({ path }) => path).sort()).toEqual(["email", "password", "pasword", "transport"]);
    expect(details.find(({ path }) => path === "pasword")?.message).toBe("is not known here");
  });
});

describe("no token", () => {
  const refused = { status: 401, body: { code: "token_missing" } };

  it("is what an Authorization header of another scheme carries, and the message names the one that is wanted", async () => {
    for (const [method, path] of [
      ["get", "/api/users/me"],
      ["get", "/api/auth/verify"],
      ["post", "/api/auth/logout"],
    ] as const) {
      for (const scheme of ["Basic dTpw", "Token abc", "DPoP abc", "BearerToken"]) {
        const response = await request(app)[method](path).set("Authorization", scheme);
        expect(response).toMatchObject(refused);
        expect(response.body).toMatchObject({
          message: expect.stringContaining("Authorization: Bearer") as string,
        });
        expect(response.headers["www-authenticate"]).toBe('Bearer realm="curfew"');
      }
      for (const headers of [{}, { Authorization: "Bearer" }]) {
        const response = await request(app)[method](path).set(headers);
        expect(response).toMatchObject({ ...refused, body: { message: "No token was sent." } });
      }
    }
  });

  it("is no token to refresh with, whether the body is absent, empty, null or has null in it", async () => {
    const post = () => request(app).post("/api/auth/refresh");
    expect(await post()).toMatchObject(refused);
    for (const body of ["", "{}", "null", '{"refresh_token":null}'])
      expect(await post().set("Content-Type", "application/json").send(body)).toMatchObject(refused);
  });
});

it("a query says nothing, whatever is in it", async () => {
  const many = "a&".repeat(3000);
  for (const query of [
    "a=1&a=2&transport=cookie",
    "__proto__[x]=1&constructor[prototype][x]=1",
    "%zz",
    many,
  ]) {
    const login = await request(app).post(`/api/auth/login?${query}`).send({ email, password: PASSWORD });
    expect(login.status).toBe(200);
    expect(login.headers["set-cookie"]).toBeUndefined();
    const me = request(app).get(`/api/users/me?${query}`);
    expect((await me.set("Authorization", `Bearer ${accessToken}`)).status).toBe(200);
  }
  expect(({} as { x?: unknown }).x).toBeUndefined();
});

describe("an answer", () => {
  it("says 404 where there is nothing, and 400 to a path that can't be decoded", async () => {
    expectError(await request(app).get("/api/nothing"), 404, "Not Found", "not_found");
    const response = await request(app)
      .delete("/api/auth/sessions/%zz")
      .set("Authorization", `Bearer ${accessToken}`);
    expectError(response, 400, "Bad Request", "invalid_request");
  });

  it("may not be cached where it depends on who asks, be it a refusal of whatever kind", async () => {
    const unavailable = () => Promise.reject(new CurfewError("denylist_unavailable"));
    const asked = { ask: unavailable, askBy: unavailable, run: unavailable, runConfirmed: unavailable };
    const away = createTestApp({ ...connectMemory(TIMEOUT_MS), ...asked }).app;
    for (const [at, method, path, status] of [
      [away, "get", "/api/users/me", 503],
      [away, "delete", "/v1/auth/session", 503],
      [away, "post", "/api/auth/logout", 503],
      [app, "delete", "/v1/auth/session", 401],
      [app, "get", "/v1/auth/session", 405],
      [app, "get", "/api/nothing", 404],
      [app, "post", "/oauth/revoke", 401],
    ] as const) {
      const sent = request(at)[method](path);
      if (status !== 401) void sent.set("Authorization", `Bearer ${accessToken}`);
      const response = await sent;
      expect([path, response.status]).toEqual([path, status]);
      expect(response.headers["cache-control"]).toBe("no-store");
      expect(response.headers["vary"]).toMatch(/^Authorization, Cookie/);
    }
  });

  it("carries the caller's request id if it is fit for a log line, else one of ours", async () => {
    const idFor = async (given: string) =>
      (await request(app).get("/healthz").set("X-Request-Id", given)).headers["x-request-id"];
    expect(await idFor("trace-1.a_B")).toBe("trace-1.a_B");
    for (const unfit of ["", "a b", '"', "é", "x".repeat(65)])
      expect(await idFor(unfit)).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("tells nothing of an error that nobody foresaw, which the log has under the request's id", async () => {
    const broken = {
      ...connectMemory(TIMEOUT_MS),
      ask: () => Promise.reject(new Error("a secret detail, with args beginning with: 'auth' 'hunter2'")),
    };
    const { app, printed } = createTestApp(broken);
    const response = await request(app).get("/readyz").set("X-Request-Id", "find-me");
    expectError(response, 500, "Internal Server Error", "internal");
    expect(response.text).not.toMatch(/secret|detail|at /);
    expect(printed.join()).not.toContain("hunter2");
    const line = JSON.parse(printed.find((line) => line.includes("find-me")) ?? "") as Record<
      string,
      unknown
    >;
    expect(line).toMatchObject({
      level: 50,
      code: "internal",
      cause: "a secret detail",
      request_id: "find-me",
    });
  });
});

// Express's router takes any case; a path as it is documented is answered in front of it.
describe.each(["/api/auth/verify", "/API/auth/verify"])("GET %s", (path) => {
  it.each(["get", "post", "put", "patch", "delete", "head"] as const)(
    "answers %s with who the token belongs to",
    async (method) => {
      const response = await request(app)
        [method](`${path}/some/path`)
        .set("Authorization", `bearer ${accessToken}`);
      expect(response.status).toBe(204);
      expect(response.headers).toMatchObject({
        "x-auth-subject": expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        "x-auth-token-id": expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        "x-auth-session": expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        "x-auth-issuer": "curfew",
        "x-auth-roles": "",
        "x-auth-expires": expect.stringMatching(/^\d+$/) as string,
      });
    },
  );

  it("ignores a body, whatever it is", async () => {
    const response = await request(app)
      .post(path)
      .set("Authorization", `Bearer ${accessToken}`)
      .set("Content-Type", "application/json")
      .send("{");
    expect(response.status).toBe(204);
  });

  it("percent-encodes what a header can't carry as it is", async () => {
    const tokens = createAccessTokens({
      keys: createKeyRing(readSecret(SECRET)),
      issuer: "curfew",
      audience: "curfew",
      clientId: "curfew",
      accessTtlSeconds: 900,
      clockToleranceSeconds: 0,
    });
    const { epoch } = tokens.verify(accessToken);
    const token = tokens.mint({
      ...tokens.lifetime(Infinity),
      sub: "zoë\r\n",
      sid: "s",
      roles: ["a,b", "100%", "é"],
      epoch,
    });
    const response = await request(app).get(path).set("Authorization", `Bearer ${token}`);
    expect(response.headers).toMatchObject({
      "x-auth-subject": "zo%C3%AB%0D%0A",
      "x-auth-roles": "a%2Cb,100%25,%C3%A9",
    });
  });
});
