import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { call, register } from "../helpers/client";
import { decodePart } from "../helpers/jws";
import { CLIENT, writeClients } from "../helpers/oauth-client";
import { freePort, useRedis } from "../helpers/redis";
import { startService, useService } from "../helpers/service";
import { use } from "../helpers/use";

const METADATA = "/.well-known/oauth-authorization-server";
const redis = useRedis();

const service = use(async () => {
  const port = await freePort();
  const file = join(mkdtempSync(join(tmpdir(), "curfew-key-")), "key.pem");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));
  return startService({
    REDIS_URL: redis.url,
    PORT: String(port),
    JWT_SECRET: "",
    JWT_PRIVATE_KEY_FILE: file,
    JWT_ISSUER: `http://127.0.0.1:${port}`,
    OAUTH_CLIENTS_FILE: writeClients(CLIENT),
  });
});
const withPath = useService(() => ({ REDIS_URL: redis.url, JWT_ISSUER: "https://example.com/login/" }));
const unnamed = useService(() => ({ REDIS_URL: redis.url }));

describe("what others' OAuth libraries do with their defaults", () => {
  type Results = Record<"jwtBearer" | "oauth4webapi" | "openidClient", Record<string, unknown>>;
  let claims: Record<string, unknown>;
  let results: Results;
  beforeAll(async () => {
    const { access_token: token } = await register(service.url);
    claims = decodePart(token, 1);
    const [head, payload, signature = ""] = token.split(".");
    const refused = [head, payload, signature.split("").reverse().join("")].join(".");
    const given = { issuer: service.url, token, refused, ...CLIENT };
    const printed = execFileSync(process.execPath, ["test/clients/oauth.mjs", JSON.stringify(given)]);
    results = JSON.parse(printed.toString()) as Results;
  });

  it("express-oauth2-jwt-bearer finds the keys by the issuer, and accepts our tokens alone", () => {
    expect(results.jwtBearer).toMatchObject({ good: { status: 200, body: claims }, forged: { status: 401 } });
  });

  it("oauth4webapi accepts a token as RFC 9068 describes it", () => {
    expect(results.oauth4webapi).toEqual(claims);
    expect(claims).toMatchObject({ client_id: "curfew" });
  });

  it("openid-client asks about a token and revokes it, with its secret in the form", () => {
    expect(results.openidClient).toEqual({
      before: expect.objectContaining({ active: true, client_id: "curfew", sub: claims["sub"] }) as unknown,
      after: false,
      refusal: 401,
    });
  });
});

describe("the metadata", () => {
  it("name the endpoints at the root of the issuer's host", async () => {
    const { status, body } = await call(service.url, "GET", METADATA);
    expect([status, body]).toEqual([
      200,
      {
        issuer: service.url,
        jwks_uri: `${service.url}/.well-known/jwks.json`,
        revocation_endpoint: `${service.url}/oauth/revoke`,
        introspection_endpoint: `${service.url}/oauth/introspect`,
        revocation_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        response_types_supported: [],
      },
    ]);
  });

  it("stand under the issuer's path too", async () => {
    for (const path of [METADATA, `${METADATA}/login`]) {
      const { status, body } = await call(withPath.url, "GET", path);
      expect([status, body]).toEqual([
        200,
        expect.objectContaining({
          issuer: "https://example.com/login/",
          revocation_endpoint: "https://example.com/oauth/revoke",
        }),
      ]);
    }
    expect((await call(withPath.url, "GET", `${METADATA}/other`)).status).toBe(404);
  });

  it("are not there where the issuer isn't a URL", async () => {
    expect((await call(unnamed.url, "GET", METADATA)).status).toBe(404);
  });
});
