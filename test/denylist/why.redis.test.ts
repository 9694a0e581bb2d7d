import {
  call,
  expectRefusal,
  login,
  logout,
  me,
  PASSWORD,
  refresh,
  register,
  type Answer,
  type Tokens,
} from "../helpers/client";
import { decodePart } from "../helpers/jws";
import { becomeOps } from "../helpers/ops-user";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";

/** What a refusal says of why, and that it says nothing of who or from where. */
const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));

const said = ({ body }: Answer) => {
  const { error, code, message, ...why } = body as Record<string, unknown>;
  expect([typeof error, typeof code, typeof message]).toEqual(["string", "string", "string"]);
  return why;
};

const at: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const claims = (tokens: Tokens) => decodePart(tokens.access_token, 1) as { jti: string; sid: string };

const endings: [string, (tokens: Tokens) => Promise<Answer>, string][] = [
  ["a logout", ({ access_token }) => logout(service.url, access_token), "logout"],
  [
    "a logout of all devices",
    async ({ user }) => {
      const other = await login(service.url, user.email);
      return logout(service.url, other.access_token, { all_devices: true });
    },
    "logout_all_devices",
  ],
  [
    "another device",
    async (tokens) => {
      const { access_token: token } = await login(service.url, tokens.user.email);
      return call(service.url, "DELETE", `/api/auth/sessions/${claims(tokens).sid}`, { token });
    },
    "session_ended",
  ],
  [
    "a change of password",
    ({ access_token: token }) =>
      call(service.url, "POST", "/api/auth/password", {
        token,
        body: { current_password: PASSWORD, new_password: "another unlikely passphrase" },
      }),
    "password_changed",
  ],
  [
    "ops",
    async (tokens) => {
      const { access_token: token } = await becomeOps(service.url, redis);
      const body = { session: claims(tokens).sid, reason: "stolen, says Ada" };
      return call(service.url, "POST", "/api/ops/revocations", { token, body });
    },
    "revoked_by_ops",
  ],
];

it.each(endings)(
  "says that it was %s, of the token and of the refresh token",
  async (_title, end, reason) => {
    const tokens = await register(service.url);
    expect((await end(tokens)).status).toBeLessThan(300);

    const refused = await me(service.url, tokens.access_token);
    expectRefusal(refused, 401, "token_revoked");
    expect(said(refused)).toEqual({ reason, revoked_at: at });
    const verified = await call(service.url, "GET", "/api/auth/verify", { token: tokens.access_token });
    expect(said(verified)).toEqual({ reason, revoked_at: at });

    const notRefreshed = await refresh(service.url, tokens.refresh_token);
    expectRefusal(notRefreshed, 401, "refresh_token_invalid");
    expect(said(notRefreshed)).toEqual({ reason, revoked_at: at });
  },
);

it("says why a dead token can't speak for all devices", async () => {
  const tokens = await register(service.url);
  await logout(service.url, tokens.access_token);
  const byToken = await logout(service.url, tokens.access_token, { all_devices: true });
  expectRefusal(byToken, 401, "token_revoked");
  expect(said(byToken)).toEqual({ reason: "logout", revoked_at: at });
  const body = { refresh_token: tokens.refresh_token, all_devices: true };
  const byRefreshToken = await logout(service.url, undefined, body);
  expectRefusal(byRefreshToken, 401, "refresh_token_invalid");
  expect(said(byRefreshToken)).toEqual({ reason: "logout", revoked_at: at });
});

it.each([
  ["any text", "Ada says it was stolen", {}],
  ["a list", '["logout"]', {}],
  ["nothing", "", {}],
  ["a reason of its own", '{"reason":"stolen by Bob","revoked_at":"yesterday","by":"ops:ada"}', {}],
  ["something else as its reason", '{"reason":{"by":"ops:ada"},"revoked_at":1}', {}],
  [
    "a reason and a time that are known",
    '{"reason":"revoked_by_ops","revoked_at":"2026-01-02T03:04:05+01:00","note":"stolen","ip":"::1"}',
    { reason: "revoked_by_ops", revoked_at: "2026-01-02T03:04:05+01:00" },
  ],
  ["only a time", '{"revoked_at":"2026-01-02T03:04:05Z"}', { revoked_at: "2026-01-02T03:04:05Z" }],
])("says no more of an entry by hand than that: %s", async (_title, value, why) => {
  const tokens = await register(service.url);
  await redis.admin.set(`curfew:denylist:jti:${claims(tokens).jti}`, value, "EX", 900);
  const refused = await me(service.url, tokens.access_token);
  expectRefusal(refused, 401, "token_revoked");
  expect(said(refused)).toEqual(why);
});

it("refuses for an entry that isn't even a string, and says nothing more", async () => {
  const tokens = await register(service.url);
  await redis.admin.hset(`curfew:denylist:sid:${claims(tokens).sid}`, "reason", "logout");
  const refused = await me(service.url, tokens.access_token);
  expectRefusal(refused, 401, "token_revoked");
  expect(said(refused)).toEqual({});
});

it("says nothing of a refresh token that nobody can have ended: forged", async () => {
  const refused = await refresh(service.url, "forged");
  expectRefusal(refused, 401, "refresh_token_invalid");
  expect(said(refused)).toEqual({});
});
