import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { call, expectRefusal, me, register } from "../helpers/client";
import { startNginx } from "../helpers/nginx";
import { askAsClient, CLIENT, writeClients } from "../helpers/oauth-client";
import { startProvider, writeIssuers } from "../helpers/provider";
import { findPython } from "../helpers/python";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { startUpstream } from "../helpers/upstream";
import { use } from "../helpers/use";

const run = promisify(execFile);

/** The story of an app behind an outside provider, seen from everywhere: the guard, a gateway, a service that asks, and another language. */
const redis = useRedis();
const provider = use(() => startProvider("clerk"));
const upstream = use(() => startUpstream());
const service = useService(() => ({
  REDIS_URL: redis.url,
  TRUSTED_ISSUERS_FILE: writeIssuers(provider),
  OAUTH_CLIENTS_FILE: writeClients(CLIENT),
}));
const nginx = use(() =>
  startNginx("docs/nginx.conf", {
    "127.0.0.1:3000": new URL(service.url).host,
    "127.0.0.1:8000": new URL(upstream.url).host,
  }),
);
beforeAll(() => register(service.url));

const introspect = (token: string) => askAsClient(service.url, "/oauth/introspect", { token });

const ASK = `
import sys
sys.path.insert(0, "docs/examples")
import jwt
from check_foreign import check
try:
    print(check(sys.argv[1])["sub"])
except jwt.InvalidTokenError:
    print("401")
`;

/** Not synchronously: it fetches the provider's keys from this very process. */
async function askPython(token: string): Promise<string> {
  const env = {
    JWKS_URI: String(provider.entry["jwks_uri"]),
    REDIS_URL: redis.url.replace("//curfew:", "//admin:"),
  };
  const { stdout } = await run(findPython(), ["-B", "-c", ASK, token], { env });
  return stdout.trim();
}

it("a provider's token is accepted everywhere, logged out once, and refused everywhere", async () => {
  const token = provider.mint({ sub: "user_2aBc", sid: "sess_1" });
  const behindNginx = () => call(nginx.url, "GET", "/reports", { token });
  expect((await me(service.url, token)).status).toBe(200);
  expect((await behindNginx()).status).toBe(200);
  expect((await introspect(token)).body).toMatchObject({ active: true, sub: "clerk:user_2aBc" });
  expect(await askPython(token)).toBe("user_2aBc");

  expect((await call(service.url, "DELETE", "/v1/auth/session", { token })).status).toBe(200);

  expectRefusal(await me(service.url, token), 401, "token_revoked");
  expect((await behindNginx()).status).toBe(401);
  expect((await introspect(token)).body).toEqual({ active: false });
  expect(await askPython(token)).toBe("401");
  // So is what the provider still mints for that session, but nobody else's.
  expect(await askPython(provider.mint({ sub: "user_2aBc", sid: "sess_1" }))).toBe("401");
  expect(await askPython(provider.mint({ sub: "user_2aBc", sid: "sess_2" }))).toBe("user_2aBc");
});
