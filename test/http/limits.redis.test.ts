import { randomUUID } from "node:crypto";
import { call, expectRefusal, login, PASSWORD, refresh, register, type Answer } from "../helpers/client";
import { startRedis, type TestRedis } from "../helpers/redis";
import { startService, type TestService } from "../helpers/service";

let redis: TestRedis;
/** No limits: for making accounts. */
let open: TestService;
/** Two instances with limits, behind one proxy as far as they know, so that a test can come from any address. */
let one: TestService;
let two: TestService;
beforeAll(async () => {
  redis = await startRedis();
  const limited = {
    REDIS_URL: redis.url,
    RATE_LIMIT: "on",
    TRUST_PROXY: "1",
    RATE_LIMIT_REFRESH: "4/m",
    RATE_LIMIT_LOGOUT: "4/m",
    RATE_LIMIT_REGISTER: "10/m",
  };
  [open, one, two] = await Promise.all([
    startService({ REDIS_URL: redis.url }),
    startService(limited),
    startService(limited),
  ]);
});
afterAll(async () => {
  await Promise.all([open.stop(), one.stop(), two.stop()]);
  await redis.stop();
});

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
  it("C-42: ten a minute, exactly, over all instances at once; then 429 with the draft-8 headers", async () => {
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

  it("C-40: are counted by the address that the proxy saw, whatever else stands in the header", async () => {
    const address = newAddress();
    const claim = (spoofed: string) => tryLogin(one, someEmail(), `${spoofed}, ${address}`);
    const answers = await Promise.all(Array.from({ length: 12 }, (_, at) => claim(`203.0.113.${at}`)));
    expect(count(answers, 429)).toBe(2);
  });

  it("C-40: are counted by the socket's address where the header holds none", async () => {
    const answers = await Promise.all(
      ["evil", "1.2.3", "unknown", "a b", "::1%lo", "<x>", "-", "1.2.3.4:80", "x1", "x2", "x3", "x4"].map(
        (claim) => tryLogin(one, someEmail(), claim),
      ),
    );
    expect(count(answers, 429)).toBe(2);
  });

  it("C-41: count an IPv6 network as one, and an IPv4 address by itself however it is written", async () => {
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
  it("C-44: five a minute from a thousand addresses, and the owner gets in from where they were before", async () => {
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

  it("C-45: count every spelling of the address, and an account that isn't there, alike", async () => {
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

  it("count a stolen token's tries to guess the current password as well", async () => {
    const { access_token } = await register(open.url);
    const guess = () =>
      call(one.url, "POST", "/api/auth/password", {
        token: access_token,
        body: { current_password: "guess", new_password: "another unlikely passphrase" },
        ...from(newAddress()),
      });
    const answers = await Promise.all(Array.from({ length: 7 }, guess));
    expect(count(answers, 401)).toBe(5);
    expect(count(answers, 429)).toBe(2);
  });
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

it("C-50: the answer doesn't tell whether the account is known from here", async () => {
  const [home, { user }] = [newAddress(), await register(open.url)];
  await tryLogin(one, user.email, home, PASSWORD);
  const answer = await tryLogin(one, user.email, home);
  expect(answer.headers.get("ratelimit-policy")).not.toContain("account");
});

describe("refresh and logout", () => {
  const refreshFrom = (token: string, address: string) =>
    call(one.url, "POST", "/api/auth/refresh", { body: { refresh_token: token }, ...from(address) });

  it("C-46: are limited per session, so that many can be behind one address", async () => {
    const address = newAddress();
    const { user } = await register(open.url);
    for (let device = 0; device < 6; device += 1) {
      const { access_token, refresh_token } = await login(open.url, user.email);
      expect((await refreshFrom(refresh_token, address)).status).toBe(200);
      const answer = await call(one.url, "POST", "/api/auth/logout", {
        token: access_token,
        ...from(address),
      });
      expect(answer.status).toBe(200);
    }
  });

  it("C-46: of one session end at the limit, wherever they come from", async () => {
    const { access_token, refresh_token } = await register(open.url);
    const refreshes = await Promise.all(
      Array.from({ length: 6 }, () => refreshFrom(refresh_token, newAddress())),
    );
    expect(count(refreshes, 429)).toBe(2);
    const logouts = await Promise.all(
      Array.from({ length: 6 }, () =>
        call(two.url, "POST", "/api/v1/auth/logout", { token: access_token, ...from(newAddress()) }),
      ),
    );
    expect(count(logouts, 204)).toBe(4);
    expect(count(logouts, 429)).toBe(2);
  });

  it("C-46: with what is no token of ours are limited per address, and nobody else's use is touched", async () => {
    const address = newAddress();
    const garbage = await Promise.all(Array.from({ length: 6 }, () => refreshFrom("garbage", address)));
    expect(count(garbage, 401)).toBe(4);
    expect(count(garbage, 429)).toBe(2);
    const { refresh_token } = await register(open.url);
    expect((await refreshFrom(refresh_token, address)).status).toBe(200);
  });
});

it("C-46: new accounts are limited per address", async () => {
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

it("C-46: checks and health are not limited", async () => {
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

it("C-43: without Redis nobody gets a try: 503, and no limit is lifted", async () => {
  const { refresh_token } = await register(open.url);
  process.kill(redis.pid, "SIGSTOP");
  const answers = await Promise.all([
    tryLogin(one, someEmail(), newAddress()),
    refresh(one.url, refresh_token),
    call(one.url, "POST", "/api/auth/register", { body: { email: someEmail(), password: PASSWORD } }),
  ]);
  process.kill(redis.pid, "SIGCONT");
  for (const answer of answers) expectRefusal(answer, 503, "denylist_unavailable");
});
