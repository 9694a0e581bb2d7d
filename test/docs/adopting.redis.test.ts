import { call, eventually, expectRefusal, type Answer, type Tokens } from "../helpers/client";
import { startHost, useProject } from "../helpers/packed";
import { startProvider } from "../helpers/provider";
import { useRedis } from "../helpers/redis";
import { SECRET } from "../helpers/service";
import { use } from "../helpers/use";

const redis = useRedis();
const project = useProject("express", ["passport", "passport-local"]);
const idp = use(() => startProvider("idp"));
const useExample = (name: string, more: () => NodeJS.ProcessEnv = () => ({})) =>
  use(() =>
    startHost(
      project,
      `examples/${name}.mjs`,
      {},
      {
        ...{ REDIS_URL: redis.url, JWT_SECRET: SECRET, PORT: "0" },
        ...more(),
      },
    ),
  );
const api = useExample("jwt-api");
const withPassport = useExample("passport");
const behindProvider = useExample("outside-provider", () => ({
  ISSUER: String(idp.entry["issuer"]),
  JWKS_URI: String(idp.entry["jwks_uri"]),
}));

const ADA = { email: "ada@example.com", password: "correct horse battery staple" };

/** These programs listen before Redis has answered. */
async function up(ask: () => Promise<Answer>): Promise<Answer> {
  let answer = await ask();
  await eventually(async () => {
    if (answer.status >= 500) answer = await ask();
    return answer.status < 500;
  });
  return answer;
}

it("a JWT API with a login of its own: its users, hashes and guard stay, and a logout ends its tokens", async () => {
  const login = () => call(api.url, "POST", "/v1/auth/login", { body: ADA });
  const me = (token: string) => call(api.url, "GET", "/v1/users/me", { token });
  const first = (await up(login)).body as Tokens;
  expect(first.user).toMatchObject({ id: "7", roles: ["admin"] });
  const second = (await login()).body as Tokens;
  expect((await me(first.access_token)).body).toMatchObject({ id: "7", email: ADA.email });
  expect((await call(api.url, "GET", "/v1/users", { token: first.access_token })).body).toEqual(["7"]);
  // As its frontends do it.
  const refresh = { refreshToken: first.refresh_token };
  const next = (await call(api.url, "POST", "/v1/auth/refresh-tokens", { body: refresh })).body as Tokens;
  const body = { refreshToken: next.refresh_token };
  expect((await call(api.url, "POST", "/v1/auth/logout", { body })).status).toBe(204);
  for (const { access_token } of [first, next]) expectRefusal(await me(access_token), 401, "token_revoked");
  expect((await me(second.access_token)).status).toBe(200);
});

it("a passport app: passport says who it is, and a logout ends the session", async () => {
  const login = await up(() => call(withPassport.url, "POST", "/login", { body: ADA }));
  expect(login.body).toMatchObject({ user: { id: "7", roles: ["admin"] } });
  const Cookie = login.headers
    .getSetCookie()
    .map((each) => each.replace(/;.*/, ""))
    .join("; ");
  const byCookie = (method: string, path: string) =>
    call(withPassport.url, method, path, { headers: { Cookie } });
  expect((await byCookie("GET", "/me")).body).toEqual({ id: "7", email: ADA.email });
  expect((await byCookie("GET", "/admin")).status).toBe(200);
  expect((await byCookie("POST", "/auth/refresh")).status).toBe(200);
  expect((await byCookie("POST", "/auth/logout")).status).toBe(200);
  expectRefusal(await byCookie("GET", "/me"), 401, "token_revoked");
  const query = new URLSearchParams(ADA);
  const form = await fetch(`${withPassport.url}/login?${query.toString()}`, { method: "POST", body: query });
  expect(form.status).toBe(415);
});

it("an app behind an outside provider: its tokens are accepted, and a logout ends them", async () => {
  const token = idp.mint({ name: "Ada" });
  const me = () => call(behindProvider.url, "GET", "/me", { token });
  expect((await up(me)).body).toEqual({ subject: "idp:user_1", name: "Ada" });
  expect((await call(behindProvider.url, "POST", "/auth/logout", { token })).status).toBe(200);
  expectRefusal(await me(), 401, "token_revoked");
});
