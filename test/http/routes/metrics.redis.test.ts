import { call, expectRefusal, register } from "../../helpers/client";
import { useRedis } from "../../helpers/redis";
import { useService } from "../../helpers/service";

const TOKEN = "a-token-that-nobody-guesses";

const redis = useRedis();
const local = useService(() => ({ REDIS_URL: redis.url }));
const shared = useService(() => ({ REDIS_URL: redis.url, METRICS_TOKEN: TOKEN }));

it("gives Prometheus's text, which nobody may keep", async () => {
  const response = await fetch(`${local.url}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(await response.text()).toMatch(/^# HELP curfew_checks_total /m);
});

it.each(["GET", "HEAD", "POST", "DELETE"])(
  "without a token isn't there for whoever comes through a proxy on the same machine (%s)",
  async (method) => {
    const headers = { "X-Forwarded-For": "203.0.113.9" };
    const response = await fetch(`${local.url}/metrics`, { method, headers });
    expect(response.status).toBe(404);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).not.toContain("curfew_");
  },
);

it("with a token is for those who have it, whoever passes them on", async () => {
  const { access_token } = await register(shared.url);
  expectRefusal(await call(shared.url, "GET", "/metrics"), 401, "token_missing");
  for (const token of [`${TOKEN}x`, access_token])
    expectRefusal(await call(shared.url, "GET", "/metrics", { token }), 401, "token_invalid");
  const cookie = { Cookie: `curfew_access=${access_token}` };
  expectRefusal(await call(shared.url, "GET", "/metrics", { headers: cookie }), 401, "token_missing");
  const headers = { Authorization: `Bearer ${TOKEN}`, "X-Forwarded-For": "203.0.113.9" };
  const response = await fetch(`${shared.url}/metrics`, { headers });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("curfew_checks_total");
});

it("never logs the token", () => {
  expect([...shared.log, ...local.log].join("\n")).not.toContain(TOKEN);
});
