import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020, type AnySchema } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { call, login, PASSWORD, register, type Answer } from "../../helpers/client";
import { decodePart } from "../../helpers/jws";
import { basic, CLIENT, writeClients } from "../../helpers/oauth-client";
import { becomeOps } from "../../helpers/ops-user";
import { startProvider, writeIssuers } from "../../helpers/provider";
import { useRedis } from "../../helpers/redis";
import { useService } from "../../helpers/service";
import { use } from "../../helpers/use";

type Media = { headers?: Record<string, object>; content?: { "application/json": { schema: AnySchema } } };
type Operation = {
  operationId: string;
  security: object[];
  responses: Record<string, Media>;
  requestBody?: Media;
};
type Description = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: object };
};

const redis = useRedis();
const provider = use(() => startProvider("idp"));
const service = useService(() => ({
  REDIS_URL: redis.url,
  RATE_LIMIT: "on",
  RATE_LIMIT_LOGIN: "1000/m",
  RATE_LIMIT_REGISTER: "1000/m",
  RATE_LIMIT_ACCOUNT: "5/m",
  OAUTH_CLIENTS_FILE: writeClients(CLIENT),
  TRUSTED_ISSUERS_FILE: writeIssuers(provider),
}));
let description: Description;
let ajv: Ajv2020;
beforeAll(async () => {
  description = (await call(service.url, "GET", "/openapi.json")).body as Description;
  ajv = new Ajv2020({ strict: false });
  addFormats(ajv);
  ajv.addSchema({ $id: "https://curfew/", ...description });
});

const seen = new Set<string>();

/** Checks an answer against what is said of its route, method and status. */
function expectAsDescribed(method: string, path: string, answer: Answer): void {
  const operation = description.paths[path]?.[method.toLowerCase()];
  const response = operation?.responses[String(answer.status)];
  if (!response) throw new Error(`${method} ${path} is not said to answer ${answer.status}`);
  seen.add(`${method} ${path}`);
  for (const name of Object.keys(response.headers ?? {}))
    expect([...answer.headers.keys()]).toContain(name.toLowerCase());
  const schema = response.content?.["application/json"].schema;
  if (!schema) {
    expect(answer.body).toBeUndefined();
    return;
  }
  const pointer = [
    "paths",
    path,
    method.toLowerCase(),
    "responses",
    String(answer.status),
    "content",
    "application/json",
    "schema",
  ]
    .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")))
    .join("/");
  const validate = ajv.compile({ $ref: `https://curfew/#/${pointer}` });
  expect({ valid: validate(answer.body), errors: validate.errors, body: answer.body }).toMatchObject({
    valid: true,
  });
}

type Options = Parameters<typeof call>[3];

async function ask(
  method: string,
  path: string,
  status: number,
  options: Options = {},
  real = path,
): Promise<Answer> {
  const answer = await call(service.url, method, real, options);
  expect([method, path, answer.status]).toEqual([method, path, status]);
  expectAsDescribed(method, path, answer);
  return answer;
}

it.each(["/api/auth", "/api/v1/auth"])("%s answers as it is described", async (base) => {
  const email = `${base.replaceAll("/", "")}@example.com`;
  const credentials = { email, password: PASSWORD };
  await ask("POST", `${base}/register`, 201, { body: credentials });
  await ask("POST", `${base}/register`, 409, { body: credentials });
  await ask("POST", `${base}/register`, 400, { body: { email: 1, more: true } });
  await ask("POST", `${base}/register`, 403, {
    body: { ...credentials, transport: "cookie" },
    headers: { "Sec-Fetch-Site": "cross-site" },
  });
  await ask("POST", `${base}/register`, 415, { body: {}, headers: { "Content-Type": "text/plain" } });
  await ask("POST", `${base}/login`, 200, { body: { ...credentials, transport: "cookie" } });
  await ask("POST", `${base}/login`, 401, { body: { email, password: "wrong" } });
  await ask("POST", `${base}/login`, 413, { body: { email: "x".repeat(20_000) } });
  const limited = { email: `limited-${email}`, password: "x" };
  for (let count = 0; count < 5; count += 1) await ask("POST", `${base}/login`, 401, { body: limited });
  await ask("POST", `${base}/login`, 429, { body: limited });

  const { access_token: token, refresh_token } = await login(service.url, email);
  await ask("POST", `${base}/refresh`, 200, { body: { refresh_token } });
  await ask("POST", `${base}/refresh`, 401, { body: { refresh_token: "x" } });
  await ask("POST", `${base}/refresh`, 401);
  await ask("GET", `${base}/sessions`, 200, { token });
  await ask("GET", `${base}/sessions`, 401);
  await ask("DELETE", `${base}/sessions/{id}`, 404, { token }, `${base}/sessions/nobody`);
  await ask("DELETE", `${base}/sessions`, 204, { token });
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"])
    await ask(method, `${base}/verify`, 204, { token });
  await ask("GET", `${base}/verify`, 200, { token, headers: { "X-Verify-Status": "200" } });
  const change = { current_password: PASSWORD, new_password: "another unlikely passphrase" };
  await ask("POST", `${base}/password`, 400, { token, body: {} });
  const changed = (await ask("POST", `${base}/password`, 200, { token, body: change })).body as {
    access_token: string;
  };
  await ask("POST", `${base}/logout`, 401, { token: "x" });
  await ask("POST", `${base}/logout`, base === "/api/auth" ? 200 : 204, { token: changed.access_token });
});

it("the other routes answer as they are described", async () => {
  const { access_token: token } = await register(service.url);
  await ask("GET", "/api/users/me", 200, { token });
  await ask("GET", "/api/users/me", 401);
  for (const path of ["/healthz", "/readyz", "/.well-known/jwks.json", "/openapi.json"]) {
    await ask("GET", path, 200);
  }
  await ask("DELETE", "/v1/auth/session", 200, { token });
  await ask("GET", "/api/users/me", 401, { token });
});

it("/curfew.js is a module that browsers may keep for five minutes", async () => {
  expect(description.paths["/curfew.js"]).toHaveProperty("get");
  const response = await fetch(`${service.url}/curfew.js`);
  const header = (name: string) => response.headers.get(name);
  expect([response.status, header("content-type"), header("cache-control")]).toEqual([
    200,
    "text/javascript; charset=utf-8",
    "public, max-age=300",
  ]);
  seen.add("GET /curfew.js");
});

it("what is for ops staff answers as it is described", async () => {
  const { access_token: token } = await becomeOps(service.url, redis);
  const { access_token: other, user } = await register(service.url);
  const ops = (method: string, path: string, status: number, body?: unknown, real = path) =>
    ask(method, `/api/ops${path}`, status, { token, ...(body !== undefined && { body }) }, `/api/ops${real}`);
  const { jti } = decodePart(other, 1) as { jti: string };
  const [entry, entries] = ["/revocations/{kind}/{id}", "/revocations"];
  await ops("POST", entries, 201, { token: other, reason: "lost" });
  await ops("POST", entries, 400, { reason: "lost" });
  await ops("POST", entries, 404, { session: "nobody's", reason: "lost" });
  await ops("GET", entries, 200);
  await ops("GET", entries, 400, undefined, `${entries}?limit=0`);
  await ask("GET", `/api/ops${entries}`, 403, { token: (await register(service.url)).access_token });
  await ask("GET", `/api/ops${entries}`, 401);
  await ops("POST", "/why", 200, { token: other });
  await ops("POST", "/why", 400, {});
  await ops("GET", entry, 200, undefined, `/revocations/token/${jti}`);
  await ops("DELETE", entry, 200, undefined, `/revocations/token/${jti}`);
  await ops("GET", entry, 404, undefined, `/revocations/token/${jti}`);
  await ops("GET", "/users/{id}/sessions", 200, undefined, `/users/${user.email}/sessions`);
  await ops("GET", "/status", 200);
  await ops("GET", "/events", 400, undefined, "/events?recent=x");
  expect(description.paths["/api/ops/revocations"]?.["get"]).toMatchObject({
    parameters: expect.arrayContaining([
      { name: "limit", in: "query", required: false, schema: expect.anything() as object },
    ]) as unknown[],
  });
});

it("/metrics answers in text, as it is described", async () => {
  const { responses } = description.paths["/metrics"]?.["get"] as unknown as {
    responses: Record<string, { content: object }>;
  };
  expect(responses["200"]?.content).toEqual({ "text/plain": { schema: { type: "string" } } });
  const response = await fetch(`${service.url}/metrics`);
  expect([response.status, response.headers.get("content-type")]).toEqual([
    200,
    expect.stringMatching(/^text\/plain;/),
  ]);
  await ask("GET", "/metrics", 404, { headers: { "X-Forwarded-For": "203.0.113.9" } });
});

it("/oauth/backchannel-logout answers as it is described, and needs no other credential", async () => {
  const path = "/oauth/backchannel-logout";
  const logoutToken = provider.mintLogout({ sid: "of-nobody" });
  await ask("POST", path, 200, { form: `logout_token=${logoutToken}` });
  for (const form of ["", "logout_token=x"]) await ask("POST", path, 400, { form });
  await ask("POST", path, 413, { form: `logout_token=${"x".repeat(20_000)}` });
  await ask("POST", path, 415, { body: { logout_token: "x" } });
  expect(description.paths[path]?.["post"]).toMatchObject({ security: [] });
});

it.each(["/oauth/introspect", "/oauth/revoke"])("%s answers as it is described", async (path) => {
  const { access_token, refresh_token } = await register(service.url);
  const headers = { Authorization: basic(CLIENT) };
  for (const token of [access_token, refresh_token, "x"])
    await ask("POST", path, 200, { form: new URLSearchParams({ token }).toString(), headers });
  await ask("POST", path, 400, { form: "", headers });
  await ask("POST", path, 401, { form: "token=x" });
  await ask("POST", path, 413, { form: `token=${"x".repeat(20_000)}`, headers });
  await ask("POST", path, 415, { body: { token: access_token }, headers });
  expect(description.paths[path]?.["post"]).toMatchObject({
    security: [{ client: [] }],
    requestBody: {
      required: true,
      content: {
        "application/x-www-form-urlencoded": {
          schema: {
            type: "object",
            required: ["token"],
            properties: { token: { type: "string", minLength: 1 } },
          },
        },
      },
    },
  });
});

it("without Redis, they answer as they are described", async () => {
  const { access_token: token, refresh_token } = await register(service.url);
  process.kill(redis.pid, "SIGSTOP");
  await ask("GET", "/readyz", 503);
  await ask("GET", "/api/users/me", 503, { token });
  await ask("POST", "/api/auth/logout", 503, { token });
  await ask("POST", "/api/auth/refresh", 503, { body: { refresh_token } });
  process.kill(redis.pid, "SIGCONT");
});

it("describes every route, and every error code somewhere", () => {
  const described = Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const pages = ["GET /", "GET /curfew.js", "GET /docs", "GET /ops"];
  expect(described.filter((route) => !seen.has(route) && !pages.includes(route))).toEqual([]);
  expect(description.openapi).toBe("3.1.1");
  const securityOf = (method: string, path: string) =>
    (description.paths[path]?.[method] as { security?: unknown }).security;
  expect(securityOf("get", "/api/users/me")).toEqual([{ bearer: [] }, { cookie: [] }]);
  expect(securityOf("post", "/api/auth/logout")).toEqual([{ bearer: [] }, { cookie: [] }, {}]);
  for (const path of ["/api/auth/login", "/api/auth/refresh"]) expect(securityOf("post", path)).toEqual([]);
  const codesOf = (path: string, status: string) =>
    JSON.stringify(description.paths[path]?.["post"]?.responses[status]);
  for (const path of ["/api/auth/logout", "/api/auth/password"])
    expect(codesOf(path, "429")).toContain("rate_limited");
  expect(codesOf("/api/auth/refresh", "401")).toContain("token_missing");
  expect(description.components).toMatchObject({
    securitySchemes: { cookie: { name: "curfew_access" }, client: { type: "http", scheme: "basic" } },
  });
  const { enum: codes } = (
    description.components as { schemas: { Error: { properties: { code: { enum: string[] } } } } }
  ).schemas.Error.properties.code;
  const text = JSON.stringify(description.paths);
  const unnamed = codes.filter((code) => !text.includes(`"${code}"`));
  // It may come wherever there is a route.
  expect(unnamed).toEqual(["method_not_allowed"]);
});

it("says which operations are public, and names each so that a generated client can", () => {
  const operations = Object.values(description.paths).flatMap((path) => Object.values(path));
  const names = operations.map(({ operationId }) => operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z][A-Za-z0-9]+$/);
  expect(names).toEqual(expect.arrayContaining(["login", "loginV1", "logout", "listSessions", "introspect"]));
  expect(description.paths["/api/auth/login"]?.["post"]?.security).toEqual([]);
  expect(description.paths["/api/users/me"]?.["get"]?.security).not.toEqual([]);
  for (const { responses } of operations) expect(responses["431"]?.content).toBeUndefined();
});

it("has a named schema for whatever has a name, and nothing is described twice under it", () => {
  const { schemas } = description.components;
  expect(Object.keys(schemas)).toEqual(
    expect.arrayContaining(["Tokens", "User", "Session", "Entry", "Error"]),
  );
  const text = JSON.stringify(description);
  expect(text).not.toContain("$defs");
  const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
  expect([...new Set(references)].sort()).toEqual(Object.keys(schemas).sort());
});

it("has a name for each body in JSON, sent or answered", () => {
  const unnamed = Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { requestBody, responses }]) => {
      const answers = Object.entries(responses).filter(([status]) => status.startsWith("2"));
      const schemas = [requestBody, ...answers.map(([, answer]) => answer)].flatMap((media) =>
        JSON.stringify(media?.content?.["application/json"]?.schema ?? { $ref: "none" }),
      );
      return schemas.every((schema) => schema.includes("$ref")) ? [] : `${method} ${path}`;
    }),
  );
  // OpenAPI describes itself better.
  expect(unnamed).toEqual(["get /openapi.json"]);
});

it("a generated client need not send what may be left out: no field of a body has a default", () => {
  expect(description.components.schemas).toMatchObject({ Login: { required: ["email", "password"] } });
  expect(JSON.stringify(description.components.schemas)).not.toContain('"default":');
});

describe("Redocly's recommended rules", () => {
  /** In a process of its own, because the package is one of ES modules. */
  function errorsIn(what: object): string[] {
    const file = join(mkdtempSync(join(tmpdir(), "curfew-openapi-")), "openapi.json");
    writeFileSync(file, JSON.stringify(what));
    return JSON.parse(
      execFileSync(process.execPath, ["test/http/answer/lint.mjs", file]).toString(),
    ) as string[];
  }

  it("find no error in it", () => {
    expect(errorsIn(description)).toEqual([]);
  });

  it("find one where there is one", () => {
    expect(errorsIn({ ...description, servers: [] })).not.toEqual([]);
  });
});
