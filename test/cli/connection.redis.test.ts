import { withKeyedDesk } from "../../src/cli/connection";
import { register } from "../helpers/client";
import { useRedis } from "../helpers/redis";
import { SECRET, useService } from "../helpers/service";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));

it("a command that has the service's key verifies its tokens, and asks what refuses them", async () => {
  const { access_token, user } = await register(service.url);
  const env = { REDIS_URL: redis.url, JWT_SECRET: SECRET };
  const exitCode = await withKeyedDesk(env, async ({ ops, tokens, by }) => {
    expect(await tokens.verify(access_token)).toMatchObject({ sub: user.id });
    expect(await ops.why.token(access_token)).toMatchObject({ verdict: "alive" });
    expect(by).toMatch(/^cli:.+@.+$/);
    return 0;
  });
  expect(exitCode).toBe(0);
});

it("one that needs a key and has none isn't run", async () => {
  const write = jest.spyOn(process.stderr, "write").mockReturnValue(true);
  const env = { REDIS_URL: redis.url, NODE_ENV: "production" };
  expect(await withKeyedDesk(env, () => Promise.resolve(0))).toBe(78);
  expect(write).toHaveBeenCalledWith(expect.stringContaining("JWT_SECRET"));
  write.mockRestore();
});
