import {
  expectRefusal,
  login,
  logout,
  me,
  refresh,
  register,
  type Answer,
  type Tokens,
} from "../helpers/client";
import { readDeeds } from "../helpers/events";
import { decodePart } from "../helpers/jws";
import { useRedis } from "../helpers/redis";
import { startService, useService } from "../helpers/service";

/** Two processes on one Redis. What they do at the same moment meets in Redis only. */
const redis = useRedis();
const one = useService(() => ({ REDIS_URL: redis.url }));
const two = useService(() => ({ REDIS_URL: redis.url }));

const ROUNDS = 300;

/** No access token of the session is accepted, and no refresh token of it gets another, on either process. */
async function expectNothingUsable(first: Tokens, refreshes: Answer[]): Promise<void> {
  const pairs = [
    first,
    ...refreshes.filter(({ status }) => status === 200).map(({ body }) => body as Tokens),
  ];
  for (const { access_token, refresh_token } of pairs) {
    for (const { url } of [one, two]) expectRefusal(await me(url, access_token), 401, "token_revoked");
    expectRefusal(await refresh(two.url, refresh_token), 401, "refresh_token_invalid");
  }
}

it("what one process revokes the other refuses at once", async () => {
  for (let round = 0; round < 50; round += 1) {
    const tokens = await register(one.url);
    expect((await me(two.url, tokens.access_token)).status).toBe(200);
    expect((await logout(one.url, tokens.access_token)).status).toBe(200);
    expectRefusal(await me(two.url, tokens.access_token), 401, "token_revoked");
  }
});

it("logout beats refresh, whichever comes first", async () => {
  const { user } = await register(one.url);
  let [refreshWon, logoutWon] = [0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    const tokens = await login(one.url, user.email);
    // Each in turn gets a head start, from none to about the time that a request takes.
    const headStart = Array.from({ length: round % 4 }, () => me(two.url, "a.b.c"));
    const [loggedOut, ...refreshes] = await Promise.all(
      round % 2 === 0
        ? [
            logout(one.url, tokens.access_token),
            Promise.all(headStart).then(() => refresh(two.url, tokens.refresh_token)),
          ]
        : [
            Promise.all(headStart).then(() => logout(one.url, tokens.access_token)),
            refresh(two.url, tokens.refresh_token),
            refresh(one.url, tokens.refresh_token),
          ],
    );
    expect(loggedOut.status).toBe(200);
    if (refreshes.some(({ status }) => status === 200)) refreshWon += 1;
    else logoutWon += 1;
    await expectNothingUsable(tokens, refreshes);
  }
  // Both orders were seen, or the race was none.
  expect(refreshWon).toBeGreaterThan(0);
  expect(logoutWon).toBeGreaterThan(0);
}, 120_000);

it("logging out all devices beats their refreshes, and spares nobody who was logged in before", async () => {
  const { user } = await register(one.url);
  for (let round = 0; round < 60; round += 1) {
    const devices = [
      await login(one.url, user.email),
      await login(two.url, user.email),
      await login(one.url, user.email),
    ];
    const [first] = devices as [Tokens, ...Tokens[]];
    const during = login(two.url, user.email);
    const [loggedOut, ...refreshes] = await Promise.all([
      logout(one.url, first.access_token, { all_devices: true }),
      ...devices.map(({ refresh_token }) => refresh(two.url, refresh_token)),
    ]);
    expect(loggedOut.status).toBe(200);
    for (const [at, device] of devices.entries()) {
      await expectNothingUsable(device, refreshes.slice(at, at + 1));
    }
    // Who logs in meanwhile is in or out, but not half: the access token and the session agree.
    const { access_token, refresh_token } = await during;
    const isIn = (await me(one.url, access_token)).status === 200;
    expect((await refresh(one.url, refresh_token)).status).toBe(isIn ? 200 : 401);
  }
}, 60_000);

it("a hundred logouts of one token at once are a hundred successes and one entry", async () => {
  const tokens = await register(one.url);
  const deeds = await readDeeds(redis);
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => logout((at % 2 === 0 ? one : two).url, tokens.access_token)),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
  expect(await readDeeds(redis)).toHaveLength(deeds.length + 1);
  await expectNothingUsable(tokens, []);
});

it("a hundred refreshes of one token at once are a hundred successes and one successor", async () => {
  const first = await register(one.url);
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => refresh((at % 2 === 0 ? one : two).url, first.refresh_token)),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
  const generations = answers.map(
    ({ body }) => decodePart(`.${(body as Tokens).refresh_token}`, 1)["generation"],
  );
  expect(new Set(generations)).toEqual(new Set([1]));
  expect((await logout(two.url, first.access_token)).status).toBe(200);
  await expectNothingUsable(first, answers);
});

it("without grace, one of a hundred refreshes at once wins, and then the session ends: it may be theft", async () => {
  const env = { REDIS_URL: redis.url, REFRESH_GRACE_SECONDS: "0" };
  const strict = await Promise.all([startService(env), startService(env)]);
  const first = await register(strict[0].url);
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => refresh(strict[at % 2]?.url ?? "", first.refresh_token)),
  );
  const count = (code: string | undefined) =>
    answers.filter(({ body }) => (body as { code?: string }).code === code).length;
  expect([count(undefined), count("refresh_token_reused"), count("refresh_token_invalid")]).toEqual([
    1, 1, 98,
  ]);
  await expectNothingUsable(first, answers);
  await Promise.all(strict.map((service) => service.stop()));
});
