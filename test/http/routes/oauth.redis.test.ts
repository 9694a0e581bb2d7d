import {
  call,
  eventually,
  expectRefusal,
  login,
  me,
  refresh,
  register,
  type Answer,
} from "../../helpers/client";
import { readDeeds } from "../../helpers/events";
import { decodePart, vary } from "../../helpers/jws";
import { askAsClient, basic, CLIENT, writeClients } from "../../helpers/oauth-client";
import { startProvider, writeIssuers } from "../../helpers/provider";
import { useRedis } from "../../helpers/redis";
import { SECRET, startService, useService } from "../../helpers/service";
import { use } from "../../helpers/use";

const redis = useRedis();
const clerk = use(() => startProvider("clerk"));
/** Its keys can't be had. */
const silent = use(async () => {
  const provider = await startProvider("silent");
  await provider.stop();
  return { ...provider, stop: () => Promise.resolve() };
});
const stranger = use(() => startProvider("stranger"));
const env = () => ({
  REDIS_URL: redis.url,
  OAUTH_CLIENTS_FILE: writeClients(
    CLIENT,
    { id: "other", secret: "another" },
    { id: "last", secret: "else" },
  ),
  TRUSTED_ISSUERS_FILE: writeIssuers(clerk, silent),
});
const one = useService(env);
const two = useService(() => ({
  ...env(),
  REFRESH_GRACE_SECONDS: "0",
  RATE_LIMIT: "on",
  RATE_LIMIT_LOGIN: "2/m",
}));
// The epoch's own second is over, so that whatever is minted from now on is of it.
beforeAll(() => register(one.url));

const introspect = (token: string, more: Record<string, string> = {}, url = one.url) =>
  askAsClient(url, "/oauth/introspect", { token, ...more });
const revoke = (token: string, more: Record<string, string> = {}, url = one.url) =>
  askAsClient(url, "/oauth/revoke", { token, ...more });

function expectInactive(answer: Answer): void {
  expect(answer.body).toEqual({ active: false });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

const readyz = async () => (await call(one.url, "GET", "/readyz")).body;

async function isActive(token: string): Promise<boolean> {
  const { status, body } = await introspect(token);
  expect(status).toBe(200);
  return (body as { active: boolean }).active;
}

function expectRevoked(answer: Answer): void {
  expect(answer.body).toBeUndefined();
  expect(answer.status).toBe(200);
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

/** Every key but those that may lapse meanwhile, and every event. */
async function whatIsWritten(): Promise<unknown> {
  const keys = await redis.admin.keys("curfew:*");
  const lasting = keys.filter((key) => !/^curfew:(ratelimit|probe)/.test(key));
  return [lasting.sort(), await readDeeds(redis)];
}

async function expectNothingWritten(act: () => Promise<unknown>): Promise<void> {
  const before = await whatIsWritten();
  await act();
  expect(await whatIsWritten()).toEqual(before);
}

const entryOf = async (key: string) =>
  JSON.parse((await redis.admin.get(`curfew:denylist:${key}`)) ?? "null") as Record<string, unknown> | null;

const lastDeed = async () => (await readDeeds(redis)).at(-1);

const logged = (event: string) =>
  one.log
    .filter((line) => line.includes(`"event":"${event}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** A line may come behind the answer. */
const untilLogged = (event: string, about: Record<string, unknown>) =>
  eventually(() =>
    Promise.resolve(
      logged(event).some((line) => Object.entries(about).every(([name, value]) => line[name] === value)),
    ),
  );

/** A genuine token of ours, whose time is over. */
const expire = (token: string) => {
  const now = Math.floor(Date.now() / 1000);
  return vary(token, SECRET, { claims: { iat: now - 700, exp: now - 100 } });
};
const forge = (token: string) => token.slice(0, -8) + (token.endsWith("AAAAAAAA") ? "BBBBBBBB" : "AAAAAAAA");

describe("a client", () => {
  const ask = (authorization: string | undefined, path: string, more: Parameters<typeof call>[3] = {}) =>
    call(one.url, "POST", path, {
      form: "token=x",
      ...more,
      headers: { ...more.headers, ...(authorization !== undefined && { Authorization: authorization }) },
    });
  const encoded = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

  it.each(["/oauth/introspect", "/oauth/revoke"])("has to say who it is, and prove it: %s", async (path) => {
    const { access_token: token } = await register(one.url);
    const wrong: [string, string | undefined][] = [
      ["nothing", undefined],
      ["a token", `Bearer ${token}`],
      ["another's secret", basic({ id: CLIENT.id, secret: "another" })],
      ["a wrong secret", basic({ ...CLIENT, secret: `${CLIENT.secret}x` })],
      ["no secret", basic({ ...CLIENT, secret: "" })],
      ["nobody", basic({ id: "nobody", secret: "another" })],
      ["nobody at all", encoded(":")],
      ["no colon", encoded("other")],
      ["nothing encoded", "Basic"],
      ["no base64", "Basic other:another"],
      ["an id that can't be decoded", encoded("%:another")],
      ["what is not form-encoded", encoded(`${CLIENT.id}:${CLIENT.secret}`)],
      ["another scheme", basic(CLIENT).replace("Basic", "Digest")],
    ];
    for (const [what, authorization] of wrong) {
      const answer = await ask(authorization, path, { form: `token=${token}` });
      expectRefusal(answer, 401, "invalid_credentials", "Basic");
      expect([what, answer.headers.get("cache-control")]).toEqual([what, "no-store"]);
    }
    const byCookie = await ask(undefined, path, { headers: { Cookie: `curfew_access=${token}` } });
    expectRefusal(byCookie, 401, "invalid_credentials", "Basic");
    for (const inForm of [
      "client_id=other&client_secret=wrong",
      "client_id=nobody&client_secret=another",
      "client_id=other&client_secret=",
      "client_id=other",
      "client_secret=another",
      "client_id=other&client_secret=another&client_secret=another",
    ]) {
      const answer = await ask(undefined, path, { form: `token=${token}&${inForm}` });
      expectRefusal(answer, 401, "invalid_credentials", "Basic");
    }
    const inJson = JSON.stringify({ token, client_id: "other", client_secret: "another" });
    const headers = { "Content-Type": "application/json" };
    expectRefusal(await ask(undefined, path, { form: inJson, headers }), 401, "invalid_credentials", "Basic");
    expect((await me(one.url, token)).status).toBe(200);
  });

  it.each(["/oauth/introspect", "/oauth/revoke"])(
    "may prove it in the form, but then not by HTTP Basic too: %s",
    async (path) => {
      const form = (secret: string) =>
        new URLSearchParams({ token: "x", client_id: CLIENT.id, client_secret: secret });
      expect((await ask(undefined, path, { form: form(CLIENT.secret).toString() })).status).toBe(200);
      const twice = await ask(basic(CLIENT), path, { form: form(CLIENT.secret).toString() });
      expectRefusal(twice, 400, "invalid_request");
      expect(twice.body).toMatchObject({ details: [{ path: "client_secret" }] });
      expect((await ask(basic(CLIENT), path, { form: `token=x&client_id=${CLIENT.id}` })).status).toBe(200);
    },
  );

  it("is refused in OAuth's words beside our own, wherever under /oauth", async () => {
    const words = async (answer: Promise<Answer>) => {
      const { status, body } = await answer;
      const { error, error_description, message, code } = body as Record<string, unknown>;
      expect(error_description).toBe(message);
      // RFC 6749 §5.2.
      expect(message).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
      return [status, error, code];
    };
    const type = { "Content-Type": "application/json" };
    for (const [answer, expected] of [
      [ask(undefined, "/oauth/revoke"), [401, "invalid_client", "invalid_credentials"]],
      [ask(basic(CLIENT), "/oauth/revoke", { form: "" }), [400, "invalid_request", "invalid_request"]],
      [
        ask(basic(CLIENT), "/oauth/revoke", { headers: type }),
        [415, "invalid_request", "unsupported_media_type"],
      ],
      [ask(basic(CLIENT), "/oauth/nothing"), [404, "invalid_request", "not_found"]],
      [
        askAsClient(one.url, "/oauth/revoke", { token: silent.mint() }),
        [503, "temporarily_unavailable", "issuer_unavailable"],
      ],
    ] as const)
      expect(await words(answer)).toEqual(expected);
  });

  it("is refused before anything else is looked at, and ops are told which it was, if there is one", async () => {
    expectRefusal(await ask(undefined, "/oauth/revoke", { form: "" }), 401, "invalid_credentials", "Basic");
    await ask(encoded("other:wrong"), "/oauth/revoke");
    await ask(encoded("hunter2:wrong"), "/oauth/revoke");
    await ask(encoded("last:wrong"), "/oauth/revoke");
    await untilLogged("client_refused", { client: "last" });
    const told = logged("client_refused").slice(-4);
    expect(told.map(({ client }) => client)).toEqual(["unknown", "other", "unknown", "last"]);
    expect(told[0]).toMatchObject({ path: "/oauth/revoke", ip: "127.0.0.1" });
    expect(one.log.join()).not.toContain("hunter2");
    expect(logged("login_failed")).toEqual([]);
  });

  it("may encode what needs no encoding, and write the scheme as it likes", async () => {
    for (const authorization of ["other:another", "%6Fther:%61nother"].map(encoded)) {
      expectInactive(await ask(authorization, "/oauth/introspect"));
      expectInactive(await ask(authorization.replace("Basic ", "basic  "), "/oauth/introspect"));
    }
  });

  it("that guesses is stopped, and keeps nobody else out", async () => {
    const guess = () =>
      call(two.url, "POST", "/oauth/introspect", {
        form: "token=x",
        headers: { Authorization: encoded("other:wrong") },
      });
    for (let count = 0; count < 2; count += 1)
      expectRefusal(await guess(), 401, "invalid_credentials", "Basic");
    const answer = await guess();
    expect([answer.status, answer.body]).toMatchObject([429, { code: "rate_limited" }]);
    expect(answer.headers.get("www-authenticate")).toBeNull();
    for (let count = 0; count < 5; count += 1) expectInactive(await introspect("x", {}, two.url));
  });

  it("isn't one without OAUTH_CLIENTS_FILE", async () => {
    const bare = await startService({ REDIS_URL: redis.url });
    for (const path of ["/oauth/introspect", "/oauth/revoke"])
      expectRefusal(await askAsClient(bare.url, path, { token: "x" }), 401, "invalid_credentials", "Basic");
    await bare.stop();
  });

  it("is no page: another origin's is told nothing, and there is nothing to preflight", async () => {
    const headers = { Origin: "https://app.example.com", "Access-Control-Request-Method": "POST" };
    const answer = await call(one.url, "OPTIONS", "/oauth/introspect", { headers });
    expectRefusal(answer, 405, "method_not_allowed");
    expect(answer.headers.get("allow")).toBe("POST");
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe.each(["/oauth/introspect", "/oauth/revoke"])("the form of %s", (path) => {
  const send = (form: string, type = "application/x-www-form-urlencoded") =>
    call(one.url, "POST", path, { form, headers: { Authorization: basic(CLIENT), "Content-Type": type } });

  it.each([
    "",
    "token=",
    "token",
    "token_type_hint=access_token",
    "token=a&token=b",
    "token=a&token=a",
    "Token=a",
    "token%5B%5D=a",
  ])("has one token: %s", async (form) => {
    const answer = await send(form);
    expectRefusal(answer, 400, "invalid_request");
    expect(answer.body).toMatchObject({ details: [{ path: "token", message: "must be sent, and once" }] });
  });

  it.each([
    "token=x&token_type_hint=refresh_token",
    "token=x&token_type_hint=nonsense",
    "token=x&token_type_hint=a&token_type_hint=b",
    "token=x&resource=https%3A%2F%2Fapi.example.com&resource=b",
    "token=%00%FF%",
    "token=x&__proto__=1&constructor=2",
    "token=%F0%9F%94%91",
  ])("may hold more, which is not looked at: %s", async (form) => {
    expect((await send(form)).status).toBe(200);
  });

  it.each([
    "application/json",
    "text/plain",
    "multipart/form-data",
    "application/x-www-form-urlencoded; charset=utf-16",
    "",
  ])("is a form and nothing else: %j", async (type) => {
    expectRefusal(await send("token=x", type), 415, "unsupported_media_type");
  });

  it("is one in UTF-8, if it says so, and has 16 KiB at most", async () => {
    expect((await send("token=x", "application/x-www-form-urlencoded;charset=UTF-8")).status).toBe(200);
    expectRefusal(await send(`token=${"x".repeat(16 * 1024)}`), 413, "body_too_large");
    const { status } = await fetch(`${one.url}${path}`, {
      method: "POST",
      headers: { Authorization: basic(CLIENT), "Content-Type": "application/x-www-form-urlencoded" },
    });
    expect(status).toBe(400);
  });

  it("comes by POST, and not in the URL", async () => {
    expectRefusal(
      await call(one.url, "GET", `${path}?token=x`, { headers: { Authorization: basic(CLIENT) } }),
      405,
      "method_not_allowed",
    );
    const answer = await call(one.url, "POST", `${path}?token=x`, {
      form: "",
      headers: { Authorization: basic(CLIENT) },
    });
    expectRefusal(answer, 400, "invalid_request");
  });
});

describe("introspection", () => {
  it("tells what an access token of ours says", async () => {
    const { access_token: token, user } = await register(one.url);
    const { sid, jti, iat, exp } = decodePart(token, 1);
    const answer = await introspect(token);
    expect(answer.body).toEqual({
      ...{ active: true, token_type: "Bearer", iss: "curfew", sub: user.id, aud: "curfew" },
      client_id: "curfew",
      ...{ jti, sid, iat, exp, roles: [] },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect((await introspect(token, { token_type_hint: "refresh_token" })).body).toEqual(answer.body);
  });

  it("tells what a trusted issuer's token says, with the issuer's name before its subject", async () => {
    const claims = { sub: "user_1", sid: "sess_1", aud: ["a", "b"], roles: ["ops"], scope: "all" };
    const token = clerk.mint(claims);
    const { jti, iat, exp } = decodePart(token, 1);
    expect((await introspect(token)).body).toEqual({
      ...{ active: true, token_type: "Bearer", iss: "https://clerk.example.com", sub: "clerk:user_1" },
      ...{ aud: ["a", "b"], scope: "all", jti, sid: "sess_1", iat, exp },
    });
    const bare = clerk.mint({ jti: undefined, aud: [1] });
    const { body } = await introspect(bare);
    expect(body).toMatchObject({ active: true, jti: expect.stringMatching(/^sha256-/) as string });
    expect(Object.keys(body as object)).toEqual(["active", "token_type", "iss", "sub", "jti", "iat", "exp"]);
  });

  it("tells whether a refresh token would be taken, and takes nothing away from it", async () => {
    const { refresh_token: first, access_token, user } = await register(one.url);
    const { sid } = decodePart(access_token, 1);
    const { exp } = decodePart(`${first}.`, 0);
    const said = { active: true, token_type: "refresh_token", sub: user.id, sid, exp };
    for (let count = 0; count < 3; count += 1) expect((await introspect(first)).body).toEqual(said);

    const { refresh_token: second } = (await refresh(one.url, first)).body as { refresh_token: string };
    // Within its grace, which where there is none is over.
    for (const token of [first, second]) expect(await isActive(token)).toBe(true);
    expectInactive(await introspect(first, {}, two.url));
    expect((await introspect(second, {}, two.url)).body).toMatchObject({ active: true });

    const { refresh_token: third } = (await refresh(one.url, second)).body as { refresh_token: string };
    expectInactive(await introspect(first));
    // To ask about a token that was used before is no use of it.
    expect(await isActive(third)).toBe(true);
    expect((await me(one.url, access_token)).status).toBe(200);
    expect((await refresh(one.url, third)).status).toBe(200);
  });

  it("says no more than that it isn't active of whatever isn't alive", async () => {
    const { access_token: token, refresh_token } = await register(one.url);
    await expectNothingWritten(async () => {
      for (const dead of [
        ...["x", "a.b", "a.b.c", "..", ".", " ", "null", `Bearer ${token}`, token.repeat(10)],
        ...[forge(token), forge(refresh_token), `${refresh_token}.`, `${token}.`, expire(token)],
        vary(token, "x".repeat(43), {}),
        vary(token, SECRET, { claims: { aud: "others" } }),
        ...[forge(clerk.mint()), stranger.mint(), stranger.mint({ iss: "https://clerk.example.com" })],
        clerk.mint({ iat: 1, exp: 2 }),
      ]) {
        expectInactive(await introspect(dead));
      }
    });
    for (const alive of [token, refresh_token]) expect(await isActive(alive)).toBe(true);
  });

  it("says so of what was logged out, and of what came before the epoch", async () => {
    const { access_token: token, refresh_token } = await register(one.url);
    const foreign = clerk.mint({ sub: "user_2" });
    expectInactive(await introspect(vary(token, SECRET, { claims: { epoch: "1-x" } })));
    expectInactive(await introspect(clerk.mint({ iat: Math.floor(Date.now() / 1000) - 80_000 })));
    for (const each of [token, refresh_token, foreign]) expect(await isActive(each)).toBe(true);
    for (const each of [token, foreign])
      expect((await call(one.url, "DELETE", "/v1/auth/session", { token: each })).status).toBe(200);
    for (const each of [token, refresh_token, foreign])
      for (const { url } of [one, two]) expectInactive(await introspect(each, {}, url));
    // A service that is shown a revoked token asks because somebody used it.
    const { jti } = decodePart(token, 1);
    await untilLogged("revoked_token_used", { jti, client: CLIENT.id, path: "/oauth/introspect" });
    await redis.admin.set(`curfew:denylist:jti:clerk:by-hand`, "why");
    expectInactive(await introspect(clerk.mint({ jti: "by-hand" })));
  });
});

describe("revocation", () => {
  it("of an access token ends its session, as a logout does, and says who asked", async () => {
    const { access_token: token, refresh_token, user } = await register(one.url);
    const other = await login(one.url, user.email);
    const { jti, sid, iat, exp } = decodePart(token, 1) as {
      jti: string;
      sid: string;
      iat: number;
      exp: number;
    };
    expectRevoked(await revoke(token, { token_type_hint: "refresh_token" }));
    for (const { url } of [one, two]) {
      expectRefusal(await me(url, token), 401, "token_revoked");
      for (const dead of [token, refresh_token]) expectInactive(await introspect(dead, {}, url));
    }
    expectRefusal(await refresh(one.url, refresh_token), 401, "refresh_token_invalid");
    expect((await me(one.url, other.access_token)).status).toBe(200);

    const whose = {
      sub: user.id,
      sid,
      reason: "revoked_by_client",
      by: `client:${CLIENT.id}`,
      ip: "127.0.0.1",
    };
    expect(await entryOf(`jti:${jti}`)).toMatchObject({ ...whose, jti, iat, exp, iss: "curfew" });
    expect(await entryOf(`sid:${sid}`)).toMatchObject(whose);
    const ttl = await redis.admin.pttl(`curfew:denylist:jti:${jti}`);
    expect(ttl).toBeGreaterThan(exp * 1000 - Date.now() - 100);
    expect(ttl).toBeLessThanOrEqual(exp * 1000 - Date.now() + 100);
    expect(await redis.admin.hget(`curfew:session:${sid}`, "ended_reason")).toBe("revoked_by_client");
    expect(await lastDeed()).toMatchObject({
      event: "revoked_by_client",
      sub: user.id,
      sid,
      jti,
      by: whose.by,
    });
    await untilLogged("revoked_by_client", { sub: user.id, sid, jti, client: CLIENT.id, level: 30 });
    // Once more is a success, and no news.
    await expectNothingWritten(async () => {
      expectRevoked(await revoke(token));
      expectRevoked(await revoke(refresh_token));
    });
  });

  it("of a refresh token, of whichever generation, ends its session too", async () => {
    const { access_token: token, refresh_token: first, user } = await register(one.url);
    const { refresh_token: second } = (await refresh(one.url, first)).body as { refresh_token: string };
    expectRevoked(await revoke(first, { token_type_hint: "access_token" }));
    expectRefusal(await me(two.url, token), 401, "token_revoked");
    expectRefusal(await refresh(one.url, second), 401, "refresh_token_invalid");
    const { sid } = decodePart(token, 1);
    expect(await lastDeed()).toMatchObject({ event: "revoked_by_client", sub: user.id, sid, jti: "" });
  });

  it("of a trusted issuer's token ends its session there as far as we are concerned", async () => {
    const [token, sibling] = [1, 2].map(() => clerk.mint({ sub: "user_3", sid: "sess_3" })) as [
      string,
      string,
    ];
    expectRevoked(await revoke(token));
    for (const dead of [token, sibling]) {
      expectRefusal(await me(two.url, dead), 401, "token_revoked");
      expectInactive(await introspect(dead));
    }
    expect(await isActive(clerk.mint({ sub: "user_3", sid: "sess_4" }))).toBe(true);
    const { jti } = decodePart(token, 1) as { jti: string };
    const whose = {
      sub: "clerk:user_3",
      sid: "sess_3",
      reason: "revoked_by_client",
      by: `client:${CLIENT.id}`,
    };
    expect(await entryOf(`jti:clerk:${jti}`)).toMatchObject({ ...whose, jti });
    expect(await entryOf("sid:clerk:sess_3")).toMatchObject(whose);
    expect(await lastDeed()).toMatchObject({ event: "revoked_by_client", sub: "clerk:user_3", jti });
    await expectNothingWritten(async () => {
      expectRevoked(await revoke(token));
    });
  });

  it("of an expired token ends the session that it names, if that still lives", async () => {
    const { access_token: token, refresh_token } = await register(one.url);
    expectRevoked(await revoke(expire(token)));
    expectRefusal(await me(one.url, token), 401, "token_revoked");
    expectInactive(await introspect(refresh_token));
  });

  it("of what isn't genuine is a success, and writes nothing", async () => {
    const { access_token: token, refresh_token, user } = await register(one.url);
    const foreign = clerk.mint({ sub: "user_5" });
    await expectNothingWritten(async () => {
      for (const unknown of [
        ...["x", "a.b", "a.b.c", "..", " ", forge(token), forge(refresh_token), forge(foreign)],
        ...[
          vary(token, "x".repeat(43), {}),
          stranger.mint(),
          stranger.mint({ iss: "https://clerk.example.com" }),
        ],
      ]) {
        expectRevoked(await revoke(unknown));
      }
    });
    for (const alive of [token, refresh_token, foreign]) expect(await isActive(alive)).toBe(true);
    expectRevoked(await revoke(foreign));
    await untilLogged("revoked_by_client", { sub: "clerk:user_5" });
    expect(logged("revoked_by_client").filter(({ sub }) => sub === user.id)).toEqual([]);
  });
});

describe("where it can't be known", () => {
  it("neither is answered while an issuer's keys can't be had: its token may live", async () => {
    for (const answer of [await introspect(silent.mint()), await revoke(silent.mint())])
      expectRefusal(answer, 503, "issuer_unavailable");
    expectRefusal(await me(one.url, silent.mint()), 503, "issuer_unavailable");
    expect(await readyz()).toMatchObject({
      status: "ready",
      warnings: expect.arrayContaining([
        {
          code: "issuer_unavailable",
          message: expect.stringMatching(/^The keys of silent can't be fetched \(.*ECONNREFUSED/) as string,
        },
      ]) as unknown,
    });
  });

  it("a revocation that no replica has is not done", async () => {
    const careful = await startService({
      REDIS_URL: redis.url,
      REVOKE_MIN_REPLICAS: "1",
      OAUTH_CLIENTS_FILE: writeClients(CLIENT),
      TRUSTED_ISSUERS_FILE: writeIssuers(clerk),
    });
    const { access_token, refresh_token } = await register(one.url);
    for (const token of [access_token, refresh_token, clerk.mint({ sub: "user_6" })])
      expectRefusal(await revoke(token, {}, careful.url), 503, "denylist_unavailable");
    expectRevoked(await revoke("x", {}, careful.url));
    // To ask takes no replica. What was revoked here is refused here, and may come back where it is lost.
    const alive = await register(one.url);
    for (const token of [alive.access_token, alive.refresh_token])
      expect((await introspect(token, {}, careful.url)).body).toMatchObject({ active: true });
    for (const token of [access_token, refresh_token])
      expectInactive(await introspect(token, {}, careful.url));
    await careful.stop();
  });

  it("neither is answered without Redis, but for what isn't genuine", async () => {
    const { access_token, refresh_token } = await register(one.url);
    const foreign = clerk.mint();
    expect(await isActive(foreign)).toBe(true);
    process.kill(redis.pid, "SIGSTOP");
    try {
      for (const token of [access_token, refresh_token, foreign])
        for (const answer of await Promise.all([introspect(token), revoke(token)]))
          expectRefusal(answer, 503, "denylist_unavailable");
      expectInactive(await introspect(forge(access_token)));
      expectRevoked(await revoke(forge(access_token)));
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
  });

  it("nothing from before is active once the denylist was lost", async () => {
    const { access_token, refresh_token } = await register(one.url);
    const foreign = clerk.mint({ iat: Math.floor(Date.now() / 1000) - 5 });
    await redis.admin.flushall();
    for (const token of [refresh_token, access_token, foreign]) expectInactive(await introspect(token));
    for (const token of [refresh_token, access_token, foreign]) expectRevoked(await revoke(token));
  });
});
