import { decodePart } from "../helpers/jws";
import { call, expectRefusal, me, register } from "../helpers/client";
import { askAsClient, CLIENT, writeClients } from "../helpers/oauth-client";
import { startProvider, writeIssuers } from "../helpers/provider";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";
import { use } from "../helpers/use";

const redis = useRedis();
const idp = use(() => startProvider("idp"));
const issuers = () => ({
  ...{
    REDIS_URL: redis.url,
    TRUSTED_ISSUERS_FILE: writeIssuers(idp),
    OAUTH_CLIENTS_FILE: writeClients(CLIENT),
  },
});
// With the same variables, so that its key would be the same if it read one.
const service = useService(() => ({ ...issuers(), ACCOUNTS: "off" }));
const withAccounts = useService(issuers);

it("has none of the routes that only accounts have, nor describes them", async () => {
  const own = ["register", "login", "refresh", "password", "sessions", "sessions/x"];
  const paths = ["/api/auth", "/api/v1/auth"].flatMap((base) => own.map((path) => `${base}/${path}`));
  for (const path of [...paths, "/api/ops/status", "/ops", "/"])
    expectRefusal(await call(service.url, "GET", path), 404, "not_found");
  const { body } = await call(service.url, "GET", "/openapi.json");
  const described = Object.keys((body as { paths: object }).paths);
  expect(described.filter((path) => /register|login|refresh|password|sessions|ops/.test(path))).toEqual([]);
  expect(described).toEqual(
    expect.arrayContaining(["/api/auth/logout", "/v1/auth/session", "/oauth/revoke"]),
  );
});

it("accepts outside issuers' tokens and logs them out, by every way that is left", async () => {
  const logOut = [
    (token: string) => call(service.url, "POST", "/api/auth/logout", { token }),
    (token: string) => call(service.url, "DELETE", "/v1/auth/session", { token }),
    (token: string) => askAsClient(service.url, "/oauth/revoke", { token }),
  ];
  for (const end of logOut) {
    const token = idp.mint();
    const sub = String(decodePart(token, 1)["sub"]);
    expect((await me(service.url, token)).body).toMatchObject({ id: `idp:${sub}` });
    expect((await call(service.url, "GET", "/api/auth/verify", { token })).status).toBe(204);
    expect((await end(token)).status).toBe(200);
    expectRefusal(await me(service.url, token), 401, "token_revoked");
  }
});

it("accepts and ends nothing of a service that has accounts", async () => {
  const { access_token: token, refresh_token } = await register(withAccounts.url);
  expectRefusal(await me(service.url, token), 401, "token_invalid");
  expectRefusal(await call(service.url, "POST", "/api/auth/logout", { token }), 401, "token_invalid");
  const byRefreshToken = await call(service.url, "POST", "/api/auth/logout", { body: { refresh_token } });
  expectRefusal(byRefreshToken, 401, "refresh_token_invalid");
  expect((await me(withAccounts.url, token)).status).toBe(200);
});
