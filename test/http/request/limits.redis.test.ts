import { randomUUID } from "node:crypto";
import {
  call,
  expectRefusal,
  login,
  me,
  PASSWORD,
  refresh,
  register,
  type Answer,
  type Tokens as Token,
} from "../../helpers/client";
import { useRedis } from "../../helpers/redis";
import { useService, type TestService } from "../../helpers/service";

const redis = useRedis();
/** No limits: for making accounts. */
const open = useService(() => ({ REDIS_URL: redis.url }));
/** Two instances with limits, behind one proxy as far as they know, so that a test can come from any address. */
const limited = () => ({
  REDIS_URL: redis.url,
  RATE_LIMIT: "on",
  TRUST_PROXY: "1",
  RATE_LIMIT_REFRESH: "4/m",
  RATE_LIMIT_LOGOUT: "4/m",
  RATE_LIMIT_REGISTER: "10/m",
});
const one = useService(limited);
const two = useService(limited);

let lastAddress = 0;
const newAddress = () => `198.51.${Math.floor(++lastAddress / 250)}.${(lastAddress % 250) + 1}`;
const from = (address: string) => ({ headers: { "X-Forwarded-For": address } });

const tryLogin = (service: TestService, email: string, address: string, password = "a wrong passphrase") =>
  call(service.url, "POST", "/api/auth/login", { body: { email, password }, ...from(address) });

const someEmail = () => `${randomUUID()}@example.com`;
const count = (answers: Answer[], status: number) =>
  answers.filter((answer) => answer.status === status).length;

function expectLimited(answer: Answer): void {
  expect(answer.body).toMatchObject({ error: "Too Many Requests", code: "rate_limited" });
  expect(answer.status).toBe(429);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(60);
}

describe("logins from one address", () => {
  it("ten a minute, exactly, over all instances at once; then 429 with the draft-8 headers", async () => {
    const address = newAddress();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => tryLogin(at % 2 === 0 ? one : two, someEmail(), address)),
    );
    expect(count(answers, 401)).toBe(10);
    expect(count(answers, 429)).toBe(90);
    const [limited] = answers.filter(({ status }) => status === 429);
    if (!limited) throw new Error("nobody was limited");
    expectLimited(limited);
    expect(limited.headers.get("ratelimit-policy")).toMatch(/"login"; q=10; w=60/);
    expect(limited.headers.get("ratelimit")).toMatch(/"login"; r=0; t=\d+/);
    expect((await tryLogin(one, someEmail(), newAddress())).status).toBe(401);
  });

  it("are counted by the address that the proxy saw, whatever else stands in the header", async () => {
    const address = newAddress();
    const claim = (spoofed: string) => tryLogin(one, someEmail(), `${spoofed}, ${address}`);
    const answers = await Promise.all(Array.from({ length: 12 }, (_, at) => claim(`203.0.113.${at}`)));
    expect(count(answers, 429)).toBe(2);
  });

  it("are counted by the socket's address where the header holds none", async () => {
    const answers = await Promise.all(
      ["evil", "1.2.3", "unknown", "a b", "::1%lo", "<x>", "-", "1.2.3.4:80", "x1", "x2", "x3", "x4"].map(
        (claim) => tryLogin(one, someEmail(), claim),
      ),
    );
    expect(count(answers, 429)).toBe(2);
  });

  it("count an IPv6 network as one, and an IPv4 address by itself however it is written", async () => {
    const inNetwork = await Promise.all(
      Array.from({ length: 15 }, (_, at) =>
        tryLogin(one, someEmail(), `2001:db8:1:${(at + 1).toString(16)}::${at}`),
      ),
    );
    expect(count(inNetwork, 429)).toBe(5);
    const [a, b] = [newAddress(), newAddress()];
    const mapped = await Promise.all(
      Array.from({ length: 12 }, (_, at) => tryLogin(one, someEmail(), at % 2 === 0 ? a : `::ffff:${a}`)),
    );
    expect(count(mapped, 429)).toBe(2);
    expect((await tryLogin(one, someEmail(), `::ffff:${b}`)).status).toBe(401);
  });
});

describe("logins to one account", () => {
  it("five a minute from a thousand addresses, and the owner gets in from where they were before", async () => {
    const home = newAddress();
    const { user } = await register(open.url);
    expect((await tryLogin(one, user.email, home, PASSWORD)).status).toBe(200);

    const attack = await Promise.all(
      Array.from({ length: 60 }, (_, at) => tryLogin(at % 2 === 0 ? one : two, user.email, newAddress())),
    );
    // The owner's first login came from an address that was not known yet.
    expect(count(attack, 401)).toBe(4);
    expect(count(attack, 429)).toBe(56);
    expectLimited(await tryLogin(two, user.email, newAddress(), PASSWORD));
    expect((await tryLogin(two, user.email, home, PASSWORD)).status).toBe(200);
  });

  it("count every spelling of the address, and an account that isn't there, alike", async () => {
    const email = someEmail();
    const spellings = [email, email.toUpperCase(), ` ${email}`, email, email, email, email];
    const answers: Answer[] = [];
    for (const spelling of spellings) answers.push(await tryLogin(one, spelling, newAddress()));
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429, 429]);
    for (const key of await redis.admin.keys("curfew:ratelimit:*")) {
      expect(await redis.admin.pttl(key)).toBeGreaterThan(0);
      expect(key).not.toContain("@example");
    }
  });
});

it("a limit that is reached stays so, however many others are tried meanwhile", async () => {
  const victim = someEmail();
  for (let at = 0; at < 5; at += 1) await tryLogin(one, victim, newAddress());
  expectLimited(await tryLogin(two, victim, newAddress()));
  const body = (email: string) => ({ email, password: "a wrong passphrase" });
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(
      Array.from({ length: 30 }, () =>
        call(one.url, "POST", "/api/auth/login", { body: body(someEmail()), ...from(newAddress()) }),
      ),
    );
  }
  expectLimited(await tryLogin(two, victim, newAddress()));
});

it("a preflight is no try", async () => {
  const address = newAddress();
  for (let at = 0; at < 30; at += 1) {
    await call(one.url, "OPTIONS", "/api/auth/login", {
      headers: {
        "X-Forwarded-For": address,
        Origin: "https://app.example",
        "Access-Control-Request-Method": "POST",
      },
    });
  }
  expect((await tryLogin(one, someEmail(), address)).status).toBe(401);
});

describe("changes of password", () => {
  const NEXT = "another unlikely passphrase";
  const WRONG = { current_password: "guess", new_password: NEXT };
  const change = (token: string, address: string, body: unknown = WRONG) =>
    call(one.url, "POST", "/api/auth/password", { token, body, ...from(address) });

  it("count a stolen token's tries by account, and its owner's from where they signed in before by themselves", async () => {
    const [home, { user }] = [newAddress(), await register(open.url)];
    const signedIn = await tryLogin(one, user.email, home, PASSWORD);
    const stolen = [await login(open.url, user.email), await login(open.url, user.email)];
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) => change(stolen[at % 2]?.access_token ?? "", newAddress())),
    );
    // Two sessions are still one account.
    expect(count(answers, 401)).toBe(5);
    expect(count(answers, 429)).toBe(3);
    for (const { headers } of answers)
      expect(headers.get("ratelimit-policy")).toMatch(/^"password"; q=10; w=60[^,]*$/);
    const { access_token } = signedIn.body as { access_token: string };
    const right = { current_password: PASSWORD, new_password: NEXT };
    expectLimited(await change(access_token, newAddress(), right));
    expect((await change(access_token, home, right)).status).toBe(200);
  });

  it("count the tries from one address, ten a minute as at a login, and apart from logins", async () => {
    const address = newAddress();
    const answers: Answer[] = [];
    for (let account = 0; account < 3; account += 1) {
      const { access_token, user } = await register(open.url);
      answers.push(...(await Promise.all(Array.from({ length: 4 }, () => change(access_token, address)))));
      expect((await tryLogin(one, user.email, address, PASSWORD)).status).toBe(200);
    }
    expect(count(answers, 401)).toBe(10);
    expect(count(answers, 429)).toBe(2);
  });

  it("cost nobody a try when they can't be right, whoever sends them", async () => {
    const { access_token } = await register(open.url);
    const address = newAddress();
    for (const body of [
      {},
      null,
      { current_password: PASSWORD },
      { current_password: 1, new_password: NEXT },
      { ...WRONG, more: true },
      { ...WRONG, new_password: "short" },
      { ...WRONG, new_password: "x".repeat(1025) },
      { ...WRONG, current_password: "x".repeat(1025) },
    ]) {
      const answer = await change(access_token, address, body);
      expectRefusal(answer, 400, "invalid_request");
      expect(answer.headers.get("ratelimit")).toBeNull();
    }
    const headers = { "Content-Type": "application/json", ...from(address).headers };
    for (let count = 0; count < 6; count += 1) {
      const options = { token: access_token, form: "{", headers };
      expectRefusal(await call(one.url, "POST", "/api/auth/password", options), 400, "invalid_json");
    }
    const right = { current_password: PASSWORD, new_password: NEXT };
    expect((await change(access_token, address, right)).status).toBe(200);
  });
});

it.each(["login", "register"])("a body that can't be right costs nobody a try at %s", async (path) => {
  const address = newAddress();
  const post = (body: unknown) => call(one.url, "POST", `/api/auth/${path}`, { body, ...from(address) });
  for (let count = 0; count < 11; count += 1)
    expectRefusal(await post({ email: "a@b.example", pasword: PASSWORD }), 400, "invalid_request");
  const email = path === "login" ? (await register(open.url)).user.email : someEmail();
  expect([200, 201]).toContain((await post({ email, password: PASSWORD })).status);
});

it("an address is remembered with the account that signed in from there, for thirty days", async () => {
  const [home, away] = [newAddress(), newAddress()];
  const [{ user }, neighbour] = [await register(open.url), await register(open.url)];
  const before = await redis.admin.keys("curfew:ratelimit:known:*");
  expect((await tryLogin(one, user.email, home, PASSWORD)).status).toBe(200);
  const known = (await redis.admin.keys("curfew:ratelimit:known:*")).filter((key) => !before.includes(key));
  expect(known).toHaveLength(1);
  const days = (await redis.admin.ttl(known[0] ?? "")) / 86_400;
  expect(days).toBeGreaterThan(29.9);
  expect(days).toBeLessThanOrEqual(30);

  const useUp = (email: string) =>
    Promise.all(Array.from({ length: 5 }, () => tryLogin(one, email, newAddress())));
  await Promise.all([useUp(user.email), useUp(neighbour.user.email)]);
  // Neither somebody else's account from there, nor this one from elsewhere.
  expectLimited(await tryLogin(one, neighbour.user.email, home, PASSWORD));
  expectLimited(await tryLogin(one, user.email, away, PASSWORD));
  // What is tried from there doesn't count elsewhere either.
  const atHome = await Promise.all(Array.from({ length: 6 }, () => tryLogin(one, user.email, home)));
  expect(count(atHome, 401)).toBe(5);
});

it("two accounts that signed in from one address don't use up each other's tries", async () => {
  const [home, { user }, other] = [newAddress(), await register(open.url), await register(open.url)];
  const signIn = (email: string) => tryLogin(one, email, home, PASSWORD);
  expect((await signIn(user.email)).status).toBe(200);
  expect((await signIn(other.user.email)).status).toBe(200);
  for (let count = 0; count < 5; count += 1) await tryLogin(one, user.email, home);
  expectLimited(await signIn(user.email));
  expect((await signIn(other.user.email)).status).toBe(200);
});

it("each limit counts by itself, and each client", async () => {
  const [address, other] = [newAddress(), newAddress()];
  const keysOf = async (client: string) =>
    (await redis.admin.keys(`curfew:ratelimit:*:*${client}`)).map((key) => key.split(":")[2]).sort();
  await tryLogin(one, someEmail(), address);
  await call(one.url, "POST", "/api/auth/register", {
    body: { email: someEmail(), password: PASSWORD },
    ...from(address),
  });
  await call(one.url, "POST", "/api/auth/refresh", { body: { refresh_token: "x" }, ...from(address) });
  await call(one.url, "POST", "/api/auth/logout", { token: "x", ...from(address) });
  await call(one.url, "POST", "/oauth/revoke", { form: "token=x", ...from(address) });
  expect(await keysOf(address)).toEqual(["client", "known", "login", "logout", "refresh", "register"]);
  expect(await keysOf(other)).toEqual([]);
});

describe("somebody else's page", () => {
  const visitor = async () => {
    const { user } = await register(open.url);
    const body = { email: user.email, password: PASSWORD, transport: "cookie" };
    const answer = await call(open.url, "POST", "/api/auth/login", { body });
    return answer.headers
      .getSetCookie()
      .map((line) => line.split(";", 1)[0])
      .join("; ");
  };

  it("can't use up its visitor's refreshes and logouts: what it is refused isn't counted", async () => {
    const Cookie = await visitor();
    for (const path of ["/api/auth/refresh", "/api/auth/logout"]) {
      for (let count = 0; count < 6; count += 1) {
        const hostile = { Cookie, "Sec-Fetch-Site": "same-site", "Content-Type": "text/plain" };
        expectRefusal(await call(one.url, "POST", path, { headers: hostile }), 403, "cross_site_request");
      }
      const own = { Cookie, "Sec-Fetch-Site": "same-origin" };
      expect((await call(one.url, "POST", path, { headers: own })).status).toBe(200);
    }
  });

  it("can't use up the logins of its visitor's address: it can't send JSON, and nothing else is counted", async () => {
    const address = newAddress();
    for (let count = 0; count < 12; count += 1) {
      for (const path of ["/api/auth/login", "/api/auth/register"]) {
        const headers = {
          ...from(address).headers,
          "Content-Type": "text/plain",
          Origin: "https://evil.example",
        };
        expectRefusal(await call(one.url, "POST", path, { headers }), 415, "unsupported_media_type");
      }
    }
    const { user } = await register(open.url);
    expect((await tryLogin(one, user.email, address, PASSWORD)).status).toBe(200);
  });
});

it("the answer doesn't tell whether the account is known from here", async () => {
  const [home, { user }] = [newAddress(), await register(open.url)];
  await tryLogin(one, user.email, home, PASSWORD);
  const answer = await tryLogin(one, user.email, home);
  expect(answer.headers.get("ratelimit-policy")).not.toContain("account");
});

describe("refreshes", () => {
  const refreshFrom = (token: string, address: string) =>
    call(one.url, "POST", "/api/auth/refresh", { body: { refresh_token: token }, ...from(address) });

  it("are limited per session, so that many can be behind one address", async () => {
    const address = newAddress();
    const { user } = await register(open.url);
    for (let device = 0; device < 6; device += 1) {
      const { refresh_token } = await login(open.url, user.email);
      expect((await refreshFrom(refresh_token, address)).status).toBe(200);
    }
  });

  it("of one session end at the limit, wherever they come from", async () => {
    const { refresh_token } = await register(open.url);
    const refreshes = await Promise.all(
      Array.from({ length: 6 }, () => refreshFrom(refresh_token, newAddress())),
    );
    expect(count(refreshes, 429)).toBe(2);
  });

  it("with what is no token of ours are limited per address, and nobody else's use is touched", async () => {
    const address = newAddress();
    const garbage = await Promise.all(Array.from({ length: 6 }, () => refreshFrom("garbage", address)));
    expect(count(garbage, 401)).toBe(4);
    expect(count(garbage, 429)).toBe(2);
    const { refresh_token } = await register(open.url);
    expect((await refreshFrom(refresh_token, address)).status).toBe(200);
  });
});

describe("logouts", () => {
  type Options = NonNullable<Parameters<typeof call>[3]>;
  const logoutFrom = (address: string, { headers, ...options }: Options = {}, path = "/api/v1/auth/logout") =>
    call(one.url, path.startsWith("/v1") ? "DELETE" : "POST", path, {
      ...options,
      headers: { ...headers, ...from(address).headers },
    });
  const useUp = async (address: string) => {
    for (let count = 0; count < 4; count += 1)
      expectRefusal(await logoutFrom(address, { token: "x.y.z" }), 401, "token_invalid");
    expectLimited(await logoutFrom(address, { token: "x.y.z" }));
  };

  it("that ended nothing are limited per address, whatever was wrong with them", async () => {
    const address = newAddress();
    const [{ access_token: token }, stranger] = [await register(open.url), await register(open.url)];
    expectRefusal(await logoutFrom(address), 401, "token_missing");
    expectRefusal(await logoutFrom(address, { token: `${token}x` }), 401, "token_invalid");
    for (const refresh_token of ["x.y", stranger.refresh_token]) {
      const answer = await logoutFrom(address, { token, body: { refresh_token } });
      expectRefusal(answer, 401, "refresh_token_invalid");
    }
    const limited = await logoutFrom(address, { token: "x" });
    expectLimited(limited);
    expect(limited.headers.get("ratelimit-policy")).toMatch(/"logout"; q=4; w=60/);
    expect(limited.headers.get("ratelimit")).toMatch(/"logout"; r=0; t=\d+/);
    expect((await me(one.url, token)).status).toBe(200);
    expectRefusal(await logoutFrom(newAddress(), { token: "x" }), 401, "token_invalid");
  });

  it("count an IPv6 network as one address", async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) => logoutFrom(`2001:db8:7:${at + 1}::1`, { token: "x" })),
    );
    expect(count(answers, 429)).toBe(2);
  });

  it.each(["/api/auth/logout", "/api/v1/auth/logout", "/v1/auth/session"])(
    "that would end something are always done: %s",
    async (path) => {
      const address = newAddress();
      const { user } = await register(open.url);
      const tokens = await Promise.all(Array.from({ length: 4 }, () => login(open.url, user.email)));
      const [byToken, byRefresh, byBoth, left] = tokens as [Token, Token, Token, Token];
      // What a thief can do with a token, from anywhere and from next to its owner.
      for (let tries = 0; tries < 6; tries += 1) {
        const forged = { token: byToken.access_token, body: { refresh_token: "x.y" } };
        await logoutFrom(address, forged, path);
        await logoutFrom(newAddress(), forged, path);
      }
      expectLimited(await logoutFrom(address, { token: "x" }, path));
      const { access_token: token, refresh_token } = byBoth;
      const right = [{ token: byToken.access_token }, { body: { refresh_token: byRefresh.refresh_token } }];
      for (const options of [...right, { token, body: { refresh_token } }]) {
        for (let again = 0; again < 6; again += 1)
          expect([200, 204]).toContain((await logoutFrom(address, options, path)).status);
      }
      for (const { access_token } of [byToken, byRefresh, byBoth])
        expectRefusal(await me(open.url, access_token), 401, "token_revoked");
      expect((await me(open.url, left.access_token)).status).toBe(200);
      const body = { all_devices: true };
      expect([200, 204]).toContain(
        (await logoutFrom(address, { token: left.access_token, body }, path)).status,
      );
      expectRefusal(await me(open.url, left.access_token), 401, "token_revoked");
    },
  );

  it("that ended a session, but can't end all the others, are told so, and cost no try", async () => {
    const address = newAddress();
    await useUp(address);
    const { access_token: token, refresh_token } = await register(open.url);
    expect((await logoutFrom(address, { token })).status).toBe(204);
    const body = { all_devices: true };
    expectRefusal(await logoutFrom(address, { token, body }), 401, "token_revoked");
    const byRefresh = await logoutFrom(address, { body: { ...body, refresh_token } });
    expectRefusal(byRefresh, 401, "refresh_token_invalid");
  });

  it("with a body that can't be right cost no try", async () => {
    const address = newAddress();
    for (let count = 0; count < 6; count += 1)
      expectRefusal(await logoutFrom(address, { body: { all_device: true } }), 400, "invalid_request");
    expectRefusal(await logoutFrom(address, { token: "x" }), 401, "token_invalid");
  });

  it("too many lose a cookie that can't be verified all the same", async () => {
    const address = newAddress();
    await useUp(address);
    const answer = await logoutFrom(address, { headers: { Cookie: "curfew_access=x" } });
    expectLimited(answer);
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/^curfew_access=; Max-Age=0;/)]);
  });
});

it("new accounts are limited per address", async () => {
  const address = newAddress();
  const answers = await Promise.all(
    Array.from({ length: 12 }, () =>
      call(one.url, "POST", "/api/auth/register", {
        body: { email: someEmail(), password: PASSWORD },
        ...from(address),
      }),
    ),
  );
  expect(count(answers, 201)).toBe(10);
  expect(count(answers, 429)).toBe(2);
});

it("checks and health are not limited", async () => {
  const { access_token } = await register(open.url);
  for (const path of ["/api/users/me", "/healthz", "/readyz"]) {
    const answers = await Promise.all(
      Array.from({ length: 60 }, () =>
        call(one.url, "GET", path, { token: access_token, ...from("198.51.100.9") }),
      ),
    );
    expect(count(answers, 200)).toBe(60);
  }
});

it("without Redis nobody gets a try: 503, and no limit is lifted", async () => {
  const { access_token, refresh_token } = await register(open.url);
  process.kill(redis.pid, "SIGSTOP");
  const forged = { headers: { Cookie: "curfew_access=x" } };
  const answers = await Promise.all([
    tryLogin(one, someEmail(), newAddress()),
    refresh(one.url, refresh_token),
    call(one.url, "POST", "/api/auth/logout", forged),
    call(one.url, "POST", "/api/auth/password", { token: access_token, body: {} }),
    call(one.url, "POST", "/api/auth/register", { body: { email: someEmail(), password: PASSWORD } }),
  ]);
  process.kill(redis.pid, "SIGCONT");
  for (const answer of answers) {
    expectRefusal(answer, 503, "denylist_unavailable");
    expect(answer.headers.getSetCookie()).toEqual([]);
  }
});
