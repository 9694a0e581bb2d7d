import { randomUUID } from "node:crypto";
import { call, eventually, logout, register, type Tokens } from "../helpers/client";
import { forge } from "../helpers/jws";
import { useRedis } from "../helpers/redis";
import { SECRET, useService } from "../helpers/service";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url, CORS_ORIGINS: "https://friend.example" }));

let good: Tokens;
let revoked: Tokens;
beforeAll(async () => {
  [good, revoked] = [await register(service.url), await register(service.url)];
  await logout(service.url, revoked.access_token);
});

/** What a client and the log see of an answer, without what is new each time. */
async function seen(path: string, method: string, headers: Record<string, string>) {
  const id = randomUUID();
  const answer = await call(service.url, method, path, { headers: { ...headers, "X-Request-Id": id } });
  const shown = Object.fromEntries([...answer.headers].filter(([name]) => name !== "date"));
  expect(shown).toMatchObject({ "x-request-id": id });
  const lines = () => service.log.filter((line) => line.includes(id) && line.includes(`"msg":"request"`));
  await eventually(() => Promise.resolve(lines().length > 0));
  const logged = lines().map((line) => ({ ...(JSON.parse(line) as object), time: 0, ms: 0, request_id: "" }));
  return { ...answer, headers: { ...shown, "x-request-id": "" }, logged };
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const cookie = (token: string) => ({ Cookie: `curfew_access=${token}`, "Sec-Fetch-Site": "cross-site" });

it.each<[string, string, () => Record<string, string>]>([
  ["a good token", "GET", () => bearer(good.access_token)],
  ["a good token in a HEAD", "HEAD", () => bearer(good.access_token)],
  ["a good token in a POST", "POST", () => bearer(good.access_token)],
  ["a good token in an OPTIONS", "OPTIONS", () => bearer(good.access_token)],
  ["a gateway that wants 200", "GET", () => ({ ...bearer(good.access_token), "X-Verify-Status": "200" })],
  ["no token", "GET", () => ({})],
  [
    "a preflight",
    "OPTIONS",
    () => ({ Origin: "https://friend.example", "Access-Control-Request-Method": "GET" }),
  ],
  ["another scheme", "GET", () => ({ Authorization: "Basic dTpw" })],
  ["a forged token", "GET", () => bearer(forge({ alg: "HS256" }, { sub: "someone" }, `${SECRET}!`))],
  ["a revoked token", "GET", () => bearer(revoked.access_token)],
  ["a cookie", "GET", () => ({ ...cookie(good.access_token), "X-Forwarded-Method": "GET" })],
  ["another site's cookie", "GET", () => ({ ...cookie(good.access_token), "X-Forwarded-Method": "POST" })],
])("%s gets the same answer in front of Express's router and behind it", async (_title, method, headers) => {
  for (const rest of ["", "/x", "/some/path?access_token=x", "?x"]) {
    const [here, there] = ["/api/auth/verify", "/api/AUTH/verify"].map((path) =>
      seen(path + rest, method, headers()),
    );
    const routed = await there;
    const logged = routed?.logged.map((line) =>
      "path" in line ? { ...line, path: lower(line.path) } : line,
    );
    expect(await here).toEqual({ ...routed, logged });
  }
});

const lower = (path: unknown) => String(path).toLowerCase();
