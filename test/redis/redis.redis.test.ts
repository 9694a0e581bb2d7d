import { call, expectRefusal, login, me, refresh, register, untilReady } from "../helpers/client";
import { decodePart } from "../helpers/jws";
import { startProxy } from "../helpers/proxy";
import { useRedis } from "../helpers/redis";
import { startService } from "../helpers/service";

const redis = useRedis();

it("replaces a connection that went dead without a word, while new ones would work", async () => {
  const wire = await startProxy(redis.port);
  const service = await startService({ REDIS_URL: redis.url.replace(String(redis.port), String(wire.port)) });
  const { access_token } = await register(service.url);
  wire.breakAfter("reply", 0, "silence");
  expectRefusal(await me(service.url, access_token), 503, "denylist_unavailable");
  // The wire is whole again for new connections; nobody closes the old one.
  wire.forget();
  await untilReady(service.url);
  expect((await me(service.url, access_token)).status).toBe(200);
  await service.stop();
  await wire.stop();
});

it("uses the database it was told to, or none", async () => {
  const before = await redis.admin.dbsize();
  const inThree = await startService({ REDIS_URL: `${redis.url}/3` });
  await register(inThree.url);
  expect(await redis.admin.dbsize()).toBe(before);
  await inThree.stop();

  const nowhere = await startService({ REDIS_URL: `${redis.url}/99` });
  expectRefusal(await call(nowhere.url, "GET", "/readyz"), 503, "denylist_unavailable");
  const body = { email: "a@example.com", password: "an unlikely passphrase" };
  expectRefusal(await call(nowhere.url, "POST", "/api/auth/register", { body }), 503, "denylist_unavailable");
  expect(await redis.admin.dbsize()).toBe(before);
  await nowhere.stop();
});

describe("refuses to start when Redis refuses its user or password, says so and prints neither", () => {
  it.each<[string, string, (url: string) => string]>([
    ["another password", "WRONGPASS", (url) => url.replace("only-for-tests", "wrong-canary")],
    ["a user that there isn't", "WRONGPASS", (url) => url.replace("curfew:", "user-canary:")],
    ["no password", "NOAUTH", (url) => url.replace(/\/\/.*@/, "//")],
    ["a password without its user", "WRONGPASS", (url) => url.replace("curfew:", ":")],
  ])("%s: %s", async (_title, reason, change) => {
    const error = await startService({ REDIS_URL: change(redis.url) }).catch(String);
    expect(error).toContain("ended with 78");
    expect(error).toContain(`REDIS_URL: Redis refuses its user or password (${reason})`);
    expect(error).not.toMatch(/canary|only-for-tests/);
  });
});

it("a logout that failed half-way is finished by the next, and not taken for done", async () => {
  const service = await startService({ REDIS_URL: redis.url });
  const first = await register(service.url);
  const second = (await refresh(service.url, first.refresh_token)).body as typeof first;
  const logout = () => call(service.url, "POST", "/api/v1/auth/logout", { token: second.access_token });
  const index = `curfew:user-sessions:${first.user.id}`;
  await redis.admin.rename(index, "kept");
  await redis.admin.set(index, "what is this?");
  expectRefusal(await logout(), 503, "denylist_unavailable");
  await redis.admin.rename("kept", index);
  expect((await logout()).status).toBe(204);
  expectRefusal(await me(service.url, first.access_token), 401, "token_revoked");
  expectRefusal(await refresh(service.url, second.refresh_token), 401, "refresh_token_invalid");
  await service.stop();
});

it("logging out all devices that failed half-way is finished by the next try", async () => {
  const service = await startService({ REDIS_URL: redis.url });
  const phone = await register(service.url);
  const tablet = await login(service.url, phone.user.email);
  const laptop = await login(service.url, phone.user.email);
  const logout = () =>
    call(service.url, "POST", "/api/v1/auth/logout", {
      token: tablet.access_token,
      body: { all_devices: true },
    });
  await redis.admin.rename("curfew:events", "kept");
  await redis.admin.set("curfew:events", "what is this?");
  expectRefusal(await logout(), 503, "denylist_unavailable");
  await redis.admin.rename("kept", "curfew:events");
  expect((await logout()).status).toBe(204);
  for (const { access_token, refresh_token } of [phone, tablet, laptop]) {
    expectRefusal(await me(service.url, access_token), 401, "token_revoked");
    expectRefusal(await refresh(service.url, refresh_token), 401, "refresh_token_invalid");
  }
  await service.stop();
});

it("what was deleted by hand lets nobody stay: not a session's record, not a user's index", async () => {
  const service = await startService({ REDIS_URL: redis.url });
  const logout = (body: object, token?: string) =>
    call(service.url, "POST", "/api/v1/auth/logout", { body, ...(token !== undefined && { token }) });

  const one = await register(service.url);
  await redis.admin.del(`curfew:session:${String(decodePart(one.access_token, 1)["sid"])}`);
  expect((await logout({ refresh_token: one.refresh_token })).status).toBe(204);
  expectRefusal(await me(service.url, one.access_token), 401, "token_revoked");

  const phone = await register(service.url);
  const tablet = (
    await call(service.url, "POST", "/api/auth/login", {
      body: { email: phone.user.email, password: "an unlikely passphrase" },
    })
  ).body as typeof phone;
  await redis.admin.del(`curfew:user-sessions:${phone.user.id}`);
  expect((await refresh(service.url, tablet.refresh_token)).status).toBe(200);
  expect((await logout({ all_devices: true }, phone.access_token)).status).toBe(204);
  expectRefusal(await me(service.url, tablet.access_token), 401, "token_revoked");
  await service.stop();
});

it("an entry of whatever type denies, and keeps nobody from logging out", async () => {
  const service = await startService({ REDIS_URL: redis.url });
  const { access_token: token, refresh_token } = await register(service.url);
  const { jti, sid } = decodePart(token, 1) as { jti: string; sid: string };
  await redis.admin.rpush(`curfew:denylist:jti:${jti}`, "what is this?");
  expectRefusal(await me(service.url, token), 401, "token_revoked");
  expect((await call(service.url, "POST", "/api/v1/auth/logout", { token })).status).toBe(204);
  expectRefusal(await refresh(service.url, refresh_token), 401, "refresh_token_invalid");
  expect(await redis.admin.exists(`curfew:denylist:sid:${sid}`)).toBe(1);
  await service.stop();
});

it("another prefix in the same Redis is another denylist, and neither disturbs the other", async () => {
  const [here, there] = await Promise.all([
    startService({ REDIS_URL: redis.url }),
    startService({ REDIS_URL: redis.url, REDIS_PREFIX: "curfew:there:" }),
  ]);
  const [ours, theirs] = [await register(here.url), await register(there.url, "there@example.com")];
  for (const [{ url }, { access_token, refresh_token, user }] of [
    [there, ours],
    [here, theirs],
  ] as const) {
    expectRefusal(await me(url, access_token), 401, "token_revoked");
    expectRefusal(await refresh(url, refresh_token), 401, "refresh_token_invalid");
    const body = { email: user.email, password: "an unlikely passphrase" };
    expectRefusal(await call(url, "POST", "/api/auth/login", { body }), 401, "invalid_credentials");
  }
  // What others keep there, be it much, is none of ours.
  const foreignKeys = Array.from({ length: 1000 }, (_, at) => [`other:${at}`, "x"]).flat();
  await redis.admin.mset(...foreignKeys);
  await redis.admin.del("curfew:there:denylist:epoch");
  expectRefusal(await me(there.url, theirs.access_token), 401, "token_revoked");
  expect((await me(here.url, ours.access_token)).status).toBe(200);
  await Promise.all([here.stop(), there.stop()]);
});

it("a token from before ACCESS_TTL was lowered is refused, and can still log out", async () => {
  const before = await startService({ REDIS_URL: redis.url });
  const { access_token, refresh_token } = await register(before.url);
  await before.stop();
  const after = await startService({ REDIS_URL: redis.url, ACCESS_TTL: "5m" });
  expectRefusal(await me(after.url, access_token), 401, "token_invalid");
  expect((await call(after.url, "POST", "/api/v1/auth/logout", { token: access_token })).status).toBe(204);
  expectRefusal(await refresh(after.url, refresh_token), 401, "refresh_token_invalid");
  await after.stop();
});
