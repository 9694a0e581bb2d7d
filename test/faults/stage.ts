import { randomUUID } from "node:crypto";
import { call, logout, PASSWORD, refresh, type Answer, type Tokens } from "../helpers/client";
import { startProxy, type Proxy } from "../helpers/proxy";
import { startRedis, type TestRedis } from "../helpers/redis";
import { startService, type TestService } from "../helpers/service";

/** All that a fault can break: a service, its Redis, set up as it should be, and the wire between them. */
export type Stage = {
  redis: TestRedis;
  wire: Proxy;
  service: TestService;
  stop(): Promise<void>;
};

export const REDIS_TIMEOUT_MS = 250;

const AS_IT_SHOULD_BE = ["--appendonly yes", "--appendfsync always"];
/** By the admin. */
const BREAKABLE = ["--enable-debug-command yes", "--enable-protected-configs yes"];

export async function startStage(env: NodeJS.ProcessEnv = {}): Promise<Stage> {
  const mayTrack = env["DENYLIST_MODE"] === "mirror";
  const redis = await startRedis([...AS_IT_SHOULD_BE, ...BREAKABLE], { mayTrack });
  const wire = await startProxy(redis.port);
  const service = await startService({
    REDIS_URL: redis.url.replace(String(redis.port), String(wire.port)),
    REDIS_TIMEOUT_MS: String(REDIS_TIMEOUT_MS),
    ...env,
  });
  return {
    redis,
    wire,
    service,
    async stop() {
      await service.stop();
      await wire.stop();
      await redis.stop();
    },
  };
}

/** One user's three sessions: one to keep, one to log out while Redis is broken, one logged out before. */
export type Sessions = { live: Tokens; leaving: Tokens; revoked: Tokens };

export async function openSessions({ service: { url } }: Stage): Promise<Sessions> {
  const body = { email: `${randomUUID()}@example.com`, password: PASSWORD };
  const live = tokensOf(await call(url, "POST", "/api/auth/register", { body }));
  const leaving = tokensOf(await login(url, body.email));
  const revoked = tokensOf(await login(url, body.email));
  assertSuccess(await logout(url, revoked.access_token));
  return { live, leaving, revoked };
}

/** An answer, and how long it took to come. */
export type Timed = Answer & { ms: number };

export type Answers = Record<
  "check" | "revokedCheck" | "logout" | "login" | "refresh" | "readyz" | "healthz",
  Timed
>;

/** Everything at once, so that each of them meets the fault and not what the others made of it. */
export async function askEverything(
  { service: { url } }: Stage,
  { live, leaving, revoked }: Sessions,
): Promise<Answers> {
  const [checked, revokedChecked, loggedOut, loggedIn, refreshed, ready, healthy] = await Promise.all(
    [
      check(url, live),
      check(url, revoked),
      logout(url, leaving.access_token),
      login(url, live.user.email),
      refresh(url, live.refresh_token),
      readyz(url),
      call(url, "GET", "/healthz"),
    ].map(timed),
  );
  return {
    check: checked,
    revokedCheck: revokedChecked,
    logout: loggedOut,
    login: loggedIn,
    refresh: refreshed,
    readyz: ready,
    healthz: healthy,
  } as Answers;
}

/** Checks are right, nothing is said to be wrong, and whoever wants to leave can. */
export async function isHealthy({ service: { url } }: Stage, { live, leaving }: Sessions): Promise<boolean> {
  if ((await check(url, live)).status !== 204) return false;
  const { status, body } = await readyz(url);
  const { warnings = [] } = body as { warnings?: unknown[] };
  if (status !== 200 || warnings.length > 0) return false;
  return (await logout(url, leaving.access_token)).status === 200;
}

export const check = (url: string, { access_token: token }: Tokens) =>
  call(url, "GET", "/api/auth/verify", { token });

export const login = (url: string, email: string) =>
  call(url, "POST", "/api/auth/login", { body: { email, password: PASSWORD } });

const readyz = (url: string) => call(url, "GET", "/readyz");

const FOR_EVER_MS = 5000;

/** Nobody waits for ever. */
export async function timed(asked: Promise<Answer>): Promise<Timed> {
  const askedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const never = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error("no answer"));
    }, FOR_EVER_MS);
  });
  try {
    return { ...(await Promise.race([asked, never])), ms: performance.now() - askedAt };
  } finally {
    clearTimeout(timer);
  }
}

function tokensOf(answer: Answer): Tokens {
  assertSuccess(answer);
  return answer.body as Tokens;
}

function assertSuccess({ status, body }: Answer): void {
  if (status >= 300) throw new Error(`${status}: ${JSON.stringify(body)}`);
}
