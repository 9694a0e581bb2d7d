import { startRedis, type TestRedis } from "./helpers/redis";
import { startService, type TestService } from "./helpers/service";
import { call, expectRefusal, login, me, PASSWORD, refresh, register } from "./helpers/client";

describe("logout", () => {
  let redis: TestRedis;
  let service: TestService;
  beforeAll(async () => {
    redis = await startRedis();
    service = await startService({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await service.stop();
    await redis.stop();
  });

  it("refuses the token from then on", async () => {
    const tokens = await register(service.url);
    expect((await me(service.url, tokens.access_token)).status).toBe(200);
    const answer = await call(service.url, "POST", "/api/auth/logout", { token: tokens.access_token });
    expect(answer.status).toBe(200);
    expectRefusal(await me(service.url, tokens.access_token), 401, "token_revoked");
    expectRefusal(await refresh(service.url, tokens.refresh_token), 401, "refresh_token_invalid");
    await login(service.url, tokens.user.email, PASSWORD);
  });
});
