import { randomUUID } from "node:crypto";
import { call, eventually, expectRefusal, me, untilReady, type Answer } from "../../helpers/client";
import { readDeeds } from "../../helpers/events";
import { startProvider, writeIssuers } from "../../helpers/provider";
import { startProxy } from "../../helpers/proxy";
import { useRedis } from "../../helpers/redis";
import { useService } from "../../helpers/service";
import { use } from "../../helpers/use";

const redis = useRedis();
const wire = use(() => startProxy(redis.port));
const idp = use(() =>
  startProvider("idp", { session_claim: "session_id", logout_audience: "client", require: { azp: "web" } }),
);
const silent = use(async () => {
  const provider = await startProvider("silent");
  await provider.stop();
  return { ...provider, stop: () => Promise.resolve() };
});
const stranger = use(() => startProvider("stranger"));
const issuers = () => ({ TRUSTED_ISSUERS_FILE: writeIssuers(idp, silent) });
const service = useService(() => ({ REDIS_URL: redis.url, ...issuers() }));
const behindWire = useService(() => ({
  REDIS_URL: redis.url.replace(String(redis.port), String(wire.port)),
  ...issuers(),
}));
const limited = useService(() => ({
  ...{ REDIS_URL: redis.url, RATE_LIMIT: "on", RATE_LIMIT_LOGOUT: "2/h" },
  ...issuers(),
}));

/** As the issuer sends it. */
const send = (logoutToken: string, url = service.url): Promise<Answer> =>
  call(url, "POST", "/oauth/backchannel-logout", { form: `logout_token=${logoutToken}` });

const mint = (claims: Record<string, unknown>) => idp.mint({ azp: "web", ...claims });
const isIn = async (token: string, url = service.url) => {
  const { status, body } = await me(url, token);
  if (status !== 200) expect(body).toMatchObject({ code: "token_revoked" });
  return status === 200;
};

function expectEnded(answer: Answer): void {
  expect(answer).toMatchObject({ status: 200, body: undefined });
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

function expectNotGood(answer: Answer): void {
  expectRefusal(answer, 400, "invalid_request");
  expect(answer.body).toMatchObject({ details: [{ path: "logout_token" }] });
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

/** Somebody who is signed in twice. */
function signIn() {
  const [sub, here, there] = [randomUUID(), randomUUID(), randomUUID()];
  return {
    sub,
    here,
    there,
    mintHere: () => mint({ sub, session_id: here }),
    mintThere: () => mint({ sub, session_id: there }),
  };
}

const untilLogged = (about: object) =>
  eventually(() =>
    Promise.resolve(
      service.log.some((line) => {
        if (!line.startsWith("{")) return false;
        const entry = JSON.parse(line) as Record<string, unknown>;
        return Object.entries({ event: "logout_at_issuer", ...about }).every(
          ([name, value]) => entry[name] === value,
        );
      }),
    ),
  );

describe("when the issuer says that somebody logged out there", () => {
  it("every token of the session is refused, and of no other", async () => {
    const { sub, here, mintHere, mintThere } = signIn();
    const [token, other] = [mintHere(), mintThere()];
    expect(await isIn(token)).toBe(true);
    expectEnded(await send(idp.mintLogout({ sid: here, sub })));
    expect(await isIn(token)).toBe(false);
    // What the issuer still mints for the session, too.
    expect(await isIn(mintHere())).toBe(false);
    expect(await isIn(other)).toBe(true);
    expect((await me(service.url, token)).body).toMatchObject({ code: "token_revoked" });
  });

  it("a session without its subject is enough", async () => {
    const { here, mintHere, mintThere } = signIn();
    expectEnded(await send(idp.mintLogout({ sid: here })));
    expect([await isIn(mintHere()), await isIn(mintThere())]).toEqual([false, true]);
  });

  it("a subject without a session loses every token that it has so far", async () => {
    const { sub, mintHere, mintThere } = signIn();
    const [token, other] = [mintHere(), mintThere()];
    expectEnded(await send(idp.mintLogout({ sub })));
    expect([await isIn(token), await isIn(other)]).toEqual([false, false]);
    const later = Math.floor(Date.now() / 1000) + 6;
    await eventually(
      async () => (await me(service.url, mint({ sub, iat: later, exp: later + 60 }))).status === 200,
    );
  });

  it("the entry, the event and the log say whose word it was", async () => {
    const { sub, here } = signIn();
    expectEnded(await send(idp.mintLogout({ sid: here, sub })));
    const key = `curfew:denylist:sid:idp:${here}`;
    expect(JSON.parse(String(await redis.admin.get(key)))).toMatchObject({
      ...{ reason: "logout_at_issuer", by: "issuer:idp", sub: `idp:${sub}`, sid: here, jti: null },
      iss: "https://idp.example.com",
    });
    const ttlMs = await redis.admin.pttl(key);
    expect(ttlMs).toBeGreaterThan(86_400_000);
    expect((await readDeeds(redis)).at(-1)).toMatchObject({
      ...{ event: "logout_at_issuer", kind: "session", by: "issuer:idp", sub: `idp:${sub}`, sid: here },
    });
    await untilLogged({ issuer: "idp", sub: `idp:${sub}`, sid: here });
  });
});

describe("a logout token", () => {
  it("is taken once, by all instances together: it ends no later sign-in", async () => {
    const { sub } = signIn();
    const logoutToken = idp.mintLogout({ sub });
    expectEnded(await send(logoutToken));
    const entry = await redis.admin.get(`curfew:denylist:sub:idp:${sub}`);
    for (const { url } of [service, limited]) expectNotGood(await send(logoutToken, url));
    expect(await redis.admin.get(`curfew:denylist:sub:idp:${sub}`)).toBe(entry);
  });

  it("is forgotten when it is too old to be sent again", async () => {
    expectEnded(await send(idp.mintLogout({ sid: "s", jti: "forgotten" })));
    const ttlMs = await redis.admin.pttl("curfew:logout-token:idp:forgotten");
    expect(ttlMs).toBeGreaterThan(300_000);
    expect(ttlMs).toBeLessThanOrEqual(330_000);
  });

  it("that isn't good ends nothing", async () => {
    const { sub, here, mintHere } = signIn();
    const now = Math.floor(Date.now() / 1000);
    const before = await readDeeds(redis);
    const token = mintHere();
    for (const logoutToken of [
      ...[token, "x", "a.b.c", stranger.mintLogout({ sid: here, sub })],
      idp.mintLogout({ sid: here, sub, aud: "api" }),
      idp.mintLogout({ sid: here, sub, events: {} }),
      idp.mintLogout({ sid: here, sub, nonce: "n" }),
      idp.mintLogout({ sid: here, sub, iat: now - 302 }),
      idp.mintLogout({ sid: here, sub, exp: now - 1 }),
      idp.mintLogout({}),
    ])
      expectNotGood(await send(logoutToken));
    expectNotGood(await call(service.url, "POST", "/oauth/backchannel-logout", { form: "" }));
    const inJson = await call(service.url, "POST", "/oauth/backchannel-logout", {
      body: { logout_token: "x" },
    });
    expectRefusal(inJson, 415, "unsupported_media_type");
    expect(await readDeeds(redis)).toEqual(before);
    expect(await isIn(token)).toBe(true);
  });

  it("is no access token, even where its type is that of any other", async () => {
    const { sub } = signIn();
    const logoutToken = idp.mint({
      azp: "web",
      sub,
      events: { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    expectRefusal(await me(service.url, logoutToken), 401, "token_invalid");
  });

  it("can't be judged while its issuer's keys can't be had", async () => {
    expectRefusal(await send(silent.mintLogout({ sid: "s" })), 503, "issuer_unavailable");
  });
});

describe("a try that failed", () => {
  const REPLY = "*3\r\n$4\r\ndone\r\n".length;
  const cuts = [
    ...(["request"] as const).flatMap((way) => [0, 400, 1000].map((bytes) => [way, bytes] as const)),
    ...Array.from({ length: REPLY }, (_, bytes) => ["reply", bytes] as const).filter(
      ([, at]) => at % 4 === 0,
    ),
  ];

  it.each(cuts)("can be repeated, wherever its %s broke: after %d bytes", async (direction, bytes) => {
    const { here, sub, mintHere } = signIn();
    const [token, logoutToken] = [mintHere(), idp.mintLogout({ sid: here, sub })];
    // So that what breaks is the script's own round trip.
    expect(await isIn(token, behindWire.url)).toBe(true);
    wire.breakAfter(direction, bytes, "reset");
    expectRefusal(await send(logoutToken, behindWire.url), 503, "denylist_unavailable");
    wire.heal();
    await untilReady(behindWire.url);
    expectEnded(await send(logoutToken, behindWire.url));
    expect(await isIn(token, behindWire.url)).toBe(false);
    expectNotGood(await send(logoutToken, behindWire.url));
  });

  it("can be repeated when Redis woke up too late for anybody to wait: denied once, told of once", async () => {
    const { sub, mintHere } = signIn();
    const [token, logoutToken] = [mintHere(), idp.mintLogout({ sub })];
    process.kill(redis.pid, "SIGSTOP");
    try {
      expectRefusal(await send(logoutToken), 503, "denylist_unavailable");
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await untilReady(service.url);
    expectEnded(await send(logoutToken));
    expect(await isIn(token)).toBe(false);
    const told = (await readDeeds(redis)).filter((event) => event["sub"] === `idp:${sub}`);
    expect(told).toHaveLength(1);
    expectNotGood(await send(logoutToken));
  });
});

it("tries that aren't genuine are limited by address, and nobody's genuine ones are", async () => {
  const forged = stranger.mintLogout({ sid: "s" });
  for (let at = 0; at < 2; at++) expectNotGood(await send(forged, limited.url));
  const refused = await send(forged, limited.url);
  expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited" } });
  const { here, mintHere } = signIn();
  for (let at = 0; at < 4; at++)
    expectNotGood(await send(idp.mintLogout({ sid: here, nonce: "n" }), limited.url));
  expectEnded(await send(idp.mintLogout({ sid: here }), limited.url));
  expect(await isIn(mintHere())).toBe(false);
});
